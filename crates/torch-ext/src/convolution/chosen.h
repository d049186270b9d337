// Which of pairs.h's kernels this processor and this process may run.
#pragma once

#include "pairs.h"

#ifdef CATSCAN_PAIRS
#include <cpuid.h>

#include <cctype>
#include <cstdlib>
#include <string>
#endif
#ifdef CATSCAN_TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace catscan {

#ifdef CATSCAN_PAIRS

/// Instruction sets up to some.
enum class Most { Less, Dots, All };

/// What oneDNN's own variable leaves: what is taken from it is taken from ours too. As there, letters
/// may be small, and a value that it does not know takes nothing.
inline Most most() {
  const char* given = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (!given) given = std::getenv("DNNL_MAX_CPU_ISA");
  std::string value = given ? given : "";
  for (char& letter : value) letter = char(std::toupper(static_cast<unsigned char>(letter)));
  for (const char* less : {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE",
                           "AVX512_CORE_VNNI"}) {
    if (value == less) return Most::Less;
  }
  for (const char* dots : {"AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512"}) {
    if (value == dots) return Most::Dots;
  }
  return Most::All;
}

/// Tiles' registers are large, so Linux wants to be asked for them.
inline bool gets_tiles() {
#ifdef CATSCAN_TILES
  constexpr long REQUEST = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return most() == Most::All && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
  return false;
#endif
}

/// The fastest, or null.
inline const pairs::Kernels* kernels() {
  static const pairs::Kernels* const chosen = []() -> const pairs::Kernels* {
    constexpr unsigned FEATURES = 7, AVX512_BF16 = 1u << 5, AMX = 1u << 22 | 1u << 24;
    unsigned a = 0, b = 0, c = 0, has_tiles = 0, has_dots = 0;
    __get_cpuid_count(FEATURES, 0, &a, &b, &c, &has_tiles);
    __get_cpuid_count(FEATURES, 1, &has_dots, &b, &c, &a);
    // Which also asks whether the system keeps such registers.
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (!wide || !(has_dots & AVX512_BF16) || most() == Most::Less) return nullptr;
#ifdef CATSCAN_TILES
    if ((has_tiles & AMX) == AMX && gets_tiles()) return &pairs::tiles;
#endif
    return &pairs::dots;
  }();
  return chosen;
}

#endif

}  // namespace catscan
