//! The `stillpoint` binary.

fn main() -> std::process::ExitCode {
    stillpoint::cli::main()
}
