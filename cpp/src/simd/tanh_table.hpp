#pragma once

// tanh in float where a register holds many lanes and two of them make a table of 32 entries: the interval of
// x gives the coefficients, one short polynomial the value. Half the time of tanh_of, which computes two ways
// for every x.

#include "simd/avx512.hpp"

namespace fastnn::cpu::FASTNN_ISA {

/// Row k: coefficients of y^k of 32 polynomials, from scripts/math_coefficients.py. A quarter of an octave of
/// |x| each, [1/16, 16) in all, in the order of the five bits that tell them apart; y is |x| less the
/// interval's middle.
alignas(64) constexpr float kTanhTable[6][32] = {
    {0.9780261f,  0.99185973f, 0.99699765f, 0.99889445f, 0.9997532f, 0.9999666f,  0.99999547f, 0.9999994f,
     0.99999994f, 1.0f,        1.0f,        1.0f,        0.0f,       0.08572657f, 0.10121473f, 0.11665399f,
     0.1397053f,  0.17020231f, 0.20037672f, 0.2301757f,  0.2740616f, 0.33082113f, 0.38528398f, 0.43718877f,
     0.50983f,    0.59637356f, 0.6709671f,  0.7340715f,  0.8093011f, 0.8798267f,  0.92534626f, 0.95404524f},
    {0.043464914f,  0.01621429f,    0.005995717f,   0.002209893f,   0.0004935282f,  6.680606e-05f,
     9.041478e-06f, 1.2236359e-06f, 6.1014056e-08f, 1.1175115e-09f, 2.0467938e-11f, 3.7488337e-13f,
     1.0f,          0.992651f,      0.9897556f,     0.9863918f,     0.9804824f,     0.97103125f,
     0.9598492f,    0.9470191f,     0.9248903f,     0.8905574f,     0.8515563f,     0.8088659f,
     0.74007344f,   0.6443386f,     0.54980326f,    0.46113896f,    0.34503177f,    0.22590499f,
     0.14373437f,   0.08979764f},
    {-0.042507138f,  -0.016081974f,   -0.0059785107f, -0.0022079467f,  -0.0004922458f, -6.710693e-05f,
     -8.881081e-06f, -1.4742085e-06f, 5.6977164e-08f, -3.3232155e-09f, -6.086681e-11f, -1.1148146e-12f,
     2.9090819e-08f, -0.085114114f,   -0.10005844f,   -0.114909485f,   -0.13693763f,   -0.16537745f,
     -0.19234316f,   -0.21786168f,    -0.2534829f,    -0.29465288f,    -0.32813406f,   -0.3535829f,
     -0.37733623f,   -0.38426903f,    -0.3689284f,    -0.33848205f,    -0.27923864f,   -0.19876477f,
     -0.13301216f,   -0.08566492f},
    {0.027087886f,   0.010546197f,  0.0039609573f, 0.001468289f,  0.00032842302f, 4.4484466e-05f,
     6.0210136e-06f, 8.148663e-07f, 3.986883e-08f, 7.302228e-10f, 1.3374496e-11f, 2.4496244e-13f,
     -0.33333668f,   -0.32523504f,  -0.31892753f,  -0.31148103f,  -0.30719754f,   -0.29676235f,
     -0.28153977f,   -0.26475465f,  -0.23894896f,  -0.19949406f,  -0.15759921f,   -0.1147866f,
     -0.05437774f,   0.014364652f,  0.06418376f,   0.094816685f,  0.110976554f,   0.09956876f,
     0.07516277f,    0.051802516f},
    {-0.012404427f,   -0.0051399358f, -0.0019624578f,  -0.00073081907f, -0.00017371544f, -2.2080889e-05f,
     -3.6335286e-06f, 3.7952157e-07f, -1.1767942e-07f, 1.3380569e-09f,  2.4507363e-11f,  4.4886813e-13f,
     0.00011432405f,  0.2862898f,     -1.4997917f,     -1.9838706f,     -0.04566487f,    0.45188028f,
     0.15893868f,     -0.25664985f,   0.15480839f,     0.19497308f,     0.20525427f,     0.13186038f,
     0.15836136f,     0.11998007f,    0.0857368f,      0.037814047f,    0.0037781096f,   -0.020786284f,
     -0.024735047f,   -0.02116546f},
    {0.003975561f,   0.0019156218f,  0.00077080406f, 0.0002926435f,  6.8304114e-05f, 9.279972e-06f,
     1.2565257e-06f, 1.7006971e-07f, 9.577249e-09f,  1.7541384e-10f, 3.2128178e-12f, 5.88448e-14f,
     0.13203117f,    19.948086f,     -13.125591f,    -49.15945f,     -1.5323331f,    4.0785155f,
     0.5071005f,     -2.4432068f,    0.15072092f,    0.12769234f,    0.13621955f,    -0.20231715f,
     -0.032557197f,  -0.05745137f,   -0.04922238f,   -0.06111199f,   -0.032117918f,  -0.009384392f,
     0.0014620665f,  0.0045586796f}};

static inline F32 tanh_by_table(F32 x) {
  const __m512i sign = _mm512_set1_epi32(-1 << 31), quarter = _mm512_set1_epi32(-1 << 21),
                middle = _mm512_set1_epi32(1 << 20), first = _mm512_set1_epi32(12);
  const F32 a = min(F32::set(9.5f), abs(x));
  const __m512i bits = _mm512_castps_si512(a.v);
  // The first interval begins at 0: nothing cancels, and y is |x|. Of the other intervals' numbers, five bits
  // count.
  const __mmask16 others = (a >= F32::set(0.078125f)).m;
  const __m512i interval = _mm512_mask_srli_epi32(first, others, bits, 21);
  const __m512i from = _mm512_ternarylogic_epi32(bits, quarter, middle, 0xea);  // bits & quarter | middle
  const F32 y = {_mm512_mask_sub_ps(a.v, others, a.v, _mm512_castsi512_ps(from))};
  const auto coefficient = [&](int k) {
    const __m512 low = _mm512_load_ps(kTanhTable[k]), high = _mm512_load_ps(kTanhTable[k] + 16);
    return F32{_mm512_permutex2var_ps(low, interval, high)};
  };
  F32 value = coefficient(5);
#pragma GCC unroll 5
  for (int k = 4; k >= 0; --k) value = fma(value, y, coefficient(k));
  const __m512i signed_bits =
      _mm512_ternarylogic_epi32(_mm512_castps_si512(x.v), sign, _mm512_castps_si512(value.v), 0xea);
  return {_mm512_castsi512_ps(signed_bits)};
}

}  // namespace fastnn::cpu::FASTNN_ISA
