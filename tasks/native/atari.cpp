// C interface between stillpoint and the Arcade Learning Environment (ALE), compiled on the user's machine.
//
// No exception leaves this file: every function that can fail returns a negative number, and sp_error() says why.
// One frame is what ALE's own act() computes, less what nobody looks at here: sound, screen copies, RAM copies.
// Private members are reached by explicit instantiation, which the standard allows: ALE leaves the last (sticky)
// actions, the TIA's mask pointers and its frame buffers out of its saved states, and has no switch for them.

#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ale/ale_interface.hpp"
#include "ale/common/ColourPalette.hpp"
#include "ale/emucore/Console.hxx"
#include "ale/emucore/TIA.hxx"
#include "ale/environment/phosphor_blend.hpp"

// Raised whenever a function below changes; the loader refuses any other.
#define SP_ABI 1

template <auto Member, typename Tag>
struct Open {
  friend constexpr auto member(Tag) { return Member; }
};
#define OPEN(tag, what)              \
  struct tag {                       \
    friend constexpr auto member(tag); \
  };                                 \
  template struct Open<&what, tag>;

using ale::StellaEnvironment;
using ale::stella::TIA;
OPEN(EnvState, StellaEnvironment::m_state)
OPEN(EnvPaddles, StellaEnvironment::m_use_paddles)
OPEN(EnvActionA, StellaEnvironment::m_player_a_action)
OPEN(EnvActionB, StellaEnvironment::m_player_b_action)
OPEN(EnvStrengthA, StellaEnvironment::m_paddle_a_strength)
OPEN(EnvStrengthB, StellaEnvironment::m_paddle_b_strength)
OPEN(EnvIllegal, StellaEnvironment::noopIllegalActions)
OPEN(TiaBL, TIA::myCurrentBLMask)
OPEN(TiaM0, TIA::myCurrentM0Mask)
OPEN(TiaM1, TIA::myCurrentM1Mask)
OPEN(TiaP0, TIA::myCurrentP0Mask)
OPEN(TiaP1, TIA::myCurrentP1Mask)
OPEN(TiaPF, TIA::myCurrentPFMask)
OPEN(TiaGreyed, TIA::myFrameGreyed)
OPEN(TiaPartial, TIA::myPartialFrameFlag)
OPEN(TiaCounter, TIA::myFrameCounter)
OPEN(BallTable, TIA::ourBallMaskTable)
OPEN(MissileTable, TIA::ourMissleMaskTable)
OPEN(PlayerTable, TIA::ourPlayerMaskTable)
OPEN(DisabledTable, TIA::ourDisabledMaskTable)
OPEN(FieldTable, TIA::ourPlayfieldTable)

// In place of environment/phosphor_blend.cpp, which is not compiled: its tables cost 0.1 s and half a megabyte for every
// emulator that is made, and are for averaging colours over frames, which is off (ALE's default).
namespace ale {
PhosphorBlend::PhosphorBlend(stella::OSystem* system) : m_osystem(system) {}
void PhosphorBlend::process(ALEScreen&) { throw std::logic_error("colours are not averaged here"); }
}  // namespace ale

namespace {

constexpr size_t BUFFER = 160 * 300;  // of each of the TIA's two frame buffers
thread_local std::string last_error;

struct Emulator {
  std::unique_ptr<ale::ALEInterface> ale;
  StellaEnvironment* env;
  TIA* tia;
  float sticky;
  size_t area;
};

template <typename F>
int32_t guarded(F&& body) {
  try {
    return body();
  } catch (const std::exception& e) {
    last_error = e.what();
  } catch (const char* e) {
    last_error = e;
  } catch (...) {
    last_error = "unknown exception";
  }
  return -1;
}

// A mask pointer as (table, offset): tables lie at other addresses in the next process.
struct Table {
  const uint8_t* base;
  size_t size;
};

std::vector<Table> tables() {
  auto table = [](const void* p, size_t n) { return Table{static_cast<const uint8_t*>(p), n}; };
  return {table(member(BallTable{}), sizeof(*member(BallTable{}))),
          table(member(MissileTable{}), sizeof(*member(MissileTable{}))),
          table(member(PlayerTable{}), sizeof(*member(PlayerTable{}))),
          table(member(DisabledTable{}), sizeof(*member(DisabledTable{}))),
          table(member(FieldTable{}), sizeof(*member(FieldTable{})))};
}

uint32_t encode(const void* pointer) {
  auto p = static_cast<const uint8_t*>(pointer);
  uint32_t index = 0;
  for (const Table& t : tables()) {
    if (p >= t.base && p < t.base + t.size) return index << 24 | static_cast<uint32_t>(p - t.base);
    ++index;
  }
  throw std::runtime_error("a TIA mask pointer lies outside of its tables");
}

const uint8_t* decode(uint32_t code) {
  auto all = tables();
  size_t index = code >> 24, offset = code & 0xffffff;
  if (index >= all.size() || offset >= all[index].size) throw std::runtime_error("the saved state is damaged");
  return all[index].base + offset;
}

// What ALE's states leave out.
struct Extra {
  int32_t action_a, action_b, lives, counter;
  float strength_a, strength_b;
  uint32_t bl, m0, m1, p0, p1, pf;
  uint8_t greyed, partial, unused[2];
};

std::string save(Emulator& e) {
  StellaEnvironment& env = *e.env;
  TIA& tia = *e.tia;
  std::string core = env.cloneState(true).serialize();
  Extra x{};
  x.action_a = env.*member(EnvActionA{});
  x.action_b = env.*member(EnvActionB{});
  x.strength_a = env.*member(EnvStrengthA{});
  x.strength_b = env.*member(EnvStrengthB{});
  x.bl = encode(tia.*member(TiaBL{}));
  x.m0 = encode(tia.*member(TiaM0{}));
  x.m1 = encode(tia.*member(TiaM1{}));
  x.p0 = encode(tia.*member(TiaP0{}));
  x.p1 = encode(tia.*member(TiaP1{}));
  x.pf = encode(tia.*member(TiaPF{}));
  x.greyed = tia.*member(TiaGreyed{});
  x.partial = tia.*member(TiaPartial{});
  x.counter = tia.*member(TiaCounter{});
  std::string out(reinterpret_cast<const char*>(&x), sizeof x);
  out.append(reinterpret_cast<const char*>(tia.currentFrameBuffer()), e.area);
  out.append(reinterpret_cast<const char*>(tia.previousFrameBuffer()), e.area);
  return out + core;
}

void restore(Emulator& e, const char* data, size_t size) {
  Extra x;
  if (size < sizeof x + 2 * e.area) throw std::runtime_error("the saved state is too short");
  std::memcpy(&x, data, sizeof x);
  const char* buffers = data + sizeof x;
  StellaEnvironment& env = *e.env;
  TIA& tia = *e.tia;
  env.restoreState(ale::ALEState(std::string(buffers + 2 * e.area, data + size)));
  env.*member(EnvActionA{}) = static_cast<ale::Action>(x.action_a);
  env.*member(EnvActionB{}) = static_cast<ale::Action>(x.action_b);
  env.*member(EnvStrengthA{}) = x.strength_a;
  env.*member(EnvStrengthB{}) = x.strength_b;
  tia.*member(TiaBL{}) = decode(x.bl);
  tia.*member(TiaM0{}) = decode(x.m0);
  tia.*member(TiaM1{}) = decode(x.m1);
  tia.*member(TiaP0{}) = decode(x.p0);
  tia.*member(TiaP1{}) = decode(x.p1);
  tia.*member(TiaPF{}) = reinterpret_cast<const uint32_t*>(decode(x.pf));
  tia.*member(TiaGreyed{}) = x.greyed;
  tia.*member(TiaPartial{}) = x.partial;
  tia.*member(TiaCounter{}) = x.counter;
  std::memcpy(tia.currentFrameBuffer(), buffers, e.area);
  std::memcpy(tia.previousFrameBuffer(), buffers + e.area, e.area);
}

// One frame, as StellaEnvironment::act() with frame_skip 1.
int32_t frame(Emulator& e, int32_t action) {
  StellaEnvironment& env = *e.env;
  auto& rng = env.getEnvironmentRNG();
  if (rng.nextDouble() >= e.sticky) {
    env.*member(EnvActionA{}) = static_cast<ale::Action>(action);
    env.*member(EnvStrengthA{}) = 1.0f;
  }
  if (rng.nextDouble() >= e.sticky) {
    env.*member(EnvActionB{}) = ale::PLAYER_B_NOOP;
    env.*member(EnvStrengthB{}) = 0.0f;
  }
  if (env.isTerminal()) return 0;
  ale::Action a = env.*member(EnvActionA{}), b = env.*member(EnvActionB{});
  (env.*member(EnvIllegal{}))(a, b);
  ale::ALEState& state = env.*member(EnvState{});
  ale::stella::OSystem& system = *e.ale->theOSystem;
  if (env.*member(EnvPaddles{})) {
    state.applyActionPaddles(system.event(), a, env.*member(EnvStrengthA{}), b, env.*member(EnvStrengthB{}));
  } else {
    state.applyActionJoysticks(system.event(), a, b);
  }
  e.tia->update();
  e.ale->romSettings->step(system.console().system());
  system.console().system().peek(0xff);  // ALE copies the RAM here, which leaves its last byte on the data bus
  state.incrementFrame();
  return e.ale->romSettings->getReward();
}

}  // namespace

extern "C" {

// What one frame brought.
struct SpFrame {
  int32_t reward, lives, over;
};

int32_t sp_abi() { return SP_ABI; }
const char* sp_version() { return ALE_VERSION; }
const char* sp_error() { return last_error.c_str(); }

void* sp_new(const char* rom, float sticky, uint32_t seed) {
  Emulator* made = nullptr;
  guarded([&] {
    ale::Logger::setMode(ale::Logger::Error);
    if (!ale::ALEInterface::isSupportedROM(rom)) throw std::runtime_error("not a ROM that the emulator knows");
    auto e = std::make_unique<Emulator>();
    e->ale = std::make_unique<ale::ALEInterface>();
    e->ale->setFloat("repeat_action_probability", sticky);
    e->ale->setInt("random_seed", 0);  // any but -1, which stands for the clock
    e->ale->loadROM(rom);
    e->env = e->ale->environment.get();
    e->env->getEnvironmentRNG().seed(seed);  // nothing was drawn so far
    e->tia = dynamic_cast<TIA*>(&e->ale->theOSystem->console().mediaSource());
    if (!e->tia) throw std::runtime_error("the console has no TIA");
    // what ALE's act() compares with: the setting goes through a decimal string
    e->sticky = e->ale->getFloat("repeat_action_probability");
    e->area = e->tia->width() * e->tia->height();
    if (e->area > BUFFER) throw std::runtime_error("the screen is larger than its buffer");
    e->env->*member(EnvStrengthA{}) = e->env->*member(EnvStrengthB{}) = 0.0f;
    made = e.release();
    return 0;
  });
  return made;
}

void sp_free(void* h) { delete static_cast<Emulator*>(h); }

int32_t sp_seed(void* h, uint32_t seed) {
  return guarded([&] {
    static_cast<Emulator*>(h)->env->getEnvironmentRNG().seed(seed);
    return 0;
  });
}

int32_t sp_reset(void* h, SpFrame* out) {
  return guarded([&] {
    auto& e = *static_cast<Emulator*>(h);
    e.env->reset();
    *out = {0, e.ale->lives(), e.env->isGameTerminal()};
    return 0;
  });
}

int32_t sp_act(void* h, int32_t action, SpFrame* out) {
  return guarded([&] {
    auto& e = *static_cast<Emulator*>(h);
    int32_t reward = frame(e, action);
    *out = {reward, e.ale->lives(), e.env->isGameTerminal()};
    return 0;
  });
}

int32_t sp_actions(void* h, int32_t minimal, int32_t* out) {
  return guarded([&] {
    auto& ale = *static_cast<Emulator*>(h)->ale;
    auto set = minimal ? ale.getMinimalActionSet() : ale.getLegalActionSet();
    if (set.size() > 18) throw std::runtime_error("more than 18 actions");
    for (size_t i = 0; i < set.size(); ++i) out[i] = set[i];
    return static_cast<int32_t>(set.size());
  });
}

int32_t sp_size(void* h, int32_t* width, int32_t* height) {
  auto& tia = *static_cast<Emulator*>(h)->tia;
  *width = tia.width();
  *height = tia.height();
  return 0;
}

// Palette indices of the current screen; valid until the next act, reset, restore or free.
const uint8_t* sp_screen(void* h) { return static_cast<Emulator*>(h)->tia->currentFrameBuffer(); }

// 256 colours 0xRRGGBB; an odd entry is the grey of the colour before it.
int32_t sp_palette(void* h, uint32_t* out) {
  return guarded([&] {
    auto& palette = static_cast<Emulator*>(h)->ale->theOSystem->colourPalette();
    for (int i = 0; i < 256; ++i) out[i] = palette.getRGB(i);
    return 0;
  });
}

int32_t sp_ram(void* h, uint8_t* out) {
  return guarded([&] {
    auto& system = static_cast<Emulator*>(h)->ale->theOSystem->console().system();
    for (int i = 0; i < 128; ++i) out[i] = system.peek(i + 0x80);
    return 0;
  });
}

// Length of the state, which is written if `capacity` suffices.
int64_t sp_save(void* h, uint8_t* out, uint64_t capacity) {
  int64_t length = -1;
  guarded([&] {
    std::string state = save(*static_cast<Emulator*>(h));
    if (state.size() <= capacity) std::memcpy(out, state.data(), state.size());
    length = static_cast<int64_t>(state.size());
    return 0;
  });
  return length;
}

int32_t sp_restore(void* h, const uint8_t* data, uint64_t size) {
  return guarded([&] {
    restore(*static_cast<Emulator*>(h), reinterpret_cast<const char*>(data), size);
    return 0;
  });
}

}  // extern "C"
