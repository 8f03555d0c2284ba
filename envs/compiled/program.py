"""The text of a program in C++, and where its numbers lie.

Arrays of vectors of lanes, one lane an environment: ``x`` what is carried into a step and ``y`` out
of it, in the same order; ``f`` ports of the last month that no step reads, where they are asked
for; ``a`` actions, shocks and the like; ``o`` results; ``p`` numbers of each environment's city,
with what was worked out from them; ``q`` the same of what all environments share; ``s`` scratch.
``k`` is a table of constants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from envs.compiled.expressions import Buffer, Stage
from envs.compiled.lowering import Lowering
from envs.compiled.statements import Statement, literal

#: Statements of a function: compilers take ever longer over longer ones.
STATEMENTS = 100
#: Functions by the stage of their statements.
FUNCTIONS = {Stage.SHARED: "share", Stage.ROWS: "settle", Stage.STEP: "advance"}

_HEAD = """// One step of LANES environments at a time; written by polislab.
#define LANES {lanes}
typedef float v __attribute__((vector_size(4 * LANES)));
#if defined(VECTOR_MATHS) && defined(__AVX512F__)
// the C library's functions of sixteen numbers
#define LANE_BY_LANE(name, function) \
  extern "C" v _ZGVeN16v_##function(v); \
  static inline v name(v x) {{ return _ZGVeN16v_##function(x); }}
#else
#ifdef VECTOR_MATHS
#define MATHS _Pragma("omp declare simd notinbranch")
#else
#define MATHS
#endif
#define LANE_BY_LANE(name, function) \
  extern "C" {{ MATHS float function(float) noexcept; }} \
  static inline v name(v x) {{ \
    v r; float *to = (float *)&r; const float *of = (const float *)&x; \
    _Pragma("omp simd") for (int l = 0; l < LANES; ++l) to[l] = function(of[l]); \
    return r; \
  }}
#endif
LANE_BY_LANE(exponential, expf)
LANE_BY_LANE(exponential_less_one, expm1f)
LANE_BY_LANE(logarithm, logf)
LANE_BY_LANE(logarithm_of_one_more, log1pf)
LANE_BY_LANE(tangent, tanhf)
static inline v root(v x) {{
  v r; float *to = (float *)&r; const float *of = (const float *)&x;
  _Pragma("omp simd") for (int l = 0; l < LANES; ++l) to[l] = __builtin_sqrtf(of[l]);
  return r;
}}
static inline v all(float x) {{ return x - v{{}}; }}
static inline v all(v x) {{ return x; }}
static inline v power(v x, v e) {{ return e == 0 ? all(1.0f) : exponential(e * logarithm(x)); }}
#if defined(__AVX512F__)
// An estimate and a step of Newton's, to a unit in the last place; where that fails (zero and the
// like) the estimate is what there is to know.
static inline v quotient(v x, v y) {{
  v near = (v)__builtin_ia32_rcp14ps512_mask(y, v{{}}, 0xffff);
  v off = 1.0f - y * near;
  v inverse = near + near * off;
  return x * (off == off ? inverse : near);
}}
#else
static inline v quotient(v x, v y) {{ return x / y; }}
#endif
static inline v absolute(v x) {{ return x < 0 ? -x : x; }}
// A number that is none stays what it is, as in torch.
static inline v larger(v x, v y) {{ return y > x ? y : x; }}
static inline v smaller(v x, v y) {{ return y < x ? y : x; }}
template <class M> static inline v one_or_zero(M m) {{ return m ? all(1.0f) : all(0.0f); }}

#define UNROLLED _Pragma("GCC unroll 4")
// Matrix products, in blocks of R rows and C columns that stay in registers.
struct Strides {{ int rows, inner, columns, down, along, below, beside; }};
template <int R, int C> static inline __attribute__((always_inline)) void block(
    v *to, const v *left, const v *right, const Strides &n, int i, int j) {{
  v t[R][C] = {{}};
  for (int k = 0; k < n.inner; ++k) {{
    const v *x = left + i * n.down + k * n.along, *y = right + k * n.below + j * n.beside;
    UNROLLED for (int r = 0; r < R; ++r)
      UNROLLED for (int c = 0; c < C; ++c) t[r][c] += x[r * n.down] * y[c * n.beside];
  }}
  UNROLLED for (int r = 0; r < R; ++r)
    UNROLLED for (int c = 0; c < C; ++c) to[(i + r) * n.columns + j + c] = t[r][c];
}}
template <int C> static inline __attribute__((always_inline)) void columns(
    v *to, const v *left, const v *right, const Strides &n, int j) {{
  int i = 0;
  for (; i + 4 <= n.rows; i += 4) block<4, C>(to, left, right, n, i, j);
  for (; i + 2 <= n.rows; i += 2) block<2, C>(to, left, right, n, i, j);
  for (; i < n.rows; ++i) block<1, C>(to, left, right, n, i, j);
}}
static void product(v *to, const v *left, const v *right, int rows, int inner, int across,
                    int down, int along, int below, int beside) {{
  const Strides n = {{rows, inner, across, down, along, below, beside}};
  int j = 0;
  for (; j + 4 <= across; j += 4) columns<4>(to, left, right, n, j);
  for (; j + 2 <= across; j += 2) columns<2>(to, left, right, n, j);
  for (; j < across; ++j) columns<1>(to, left, right, n, j);
}}
"""
_POINTERS = (
    "const v *__restrict x, const v *__restrict a, v *p, v *q, v *__restrict y, v *__restrict f, "
    "v *__restrict o, v *s"
)
_NAMES = "x, a, p, q, y, f, o, s"


@dataclass(frozen=True)
class Program:
    """The text of a program, and the length of its arrays."""

    text: str
    sizes: dict[str, int]


@dataclass(frozen=True)
class Gap:
    """Places of the scratch array that nothing needs."""

    at: int
    size: int


def program(lowering: Lowering, begun: dict[str, int], lanes: int) -> Program:
    """A program of the statements of a lowering.

    Args:
        begun: length of the arrays as far as they are inputs or results.
        lanes: environments of a vector.
    """
    by_stage: dict[Stage, list[Statement]] = defaultdict(list)
    for statement in lowering.statements:
        by_stage[statement.writes.stage].append(statement)
    sizes = dict(begun)
    for array, stage in (("q", Stage.SHARED), ("p", Stage.ROWS)):
        for statement in by_stage[stage]:
            buffer = statement.writes.root
            if buffer.free:
                buffer.first = sizes[array]
                sizes[array] += buffer.size
    sizes["s"] = _allot(by_stage[Stage.STEP])
    constants = ", ".join(literal(x) for x in lowering.constants) or "0"
    parts = [_HEAD.format(lanes=lanes), f"static const float k[] = {{{constants}}};"]
    for stage, name in FUNCTIONS.items():
        parts += _functions(name, by_stage[stage])
    parts.append(_entries(sizes))
    return Program("\n".join(parts) + "\n", sizes)


def _allot(statements: Sequence[Statement]) -> int:
    """Places in the scratch array; what is read no more makes room for others."""
    last: dict[Buffer, int] = {}
    for number, statement in enumerate(statements):
        for buffer in (statement.writes, *statement.reads):
            last[buffer.root] = number
    ends: dict[int, list[Buffer]] = defaultdict(list)
    for buffer, number in last.items():
        if buffer.array == "s":
            ends[number].append(buffer)
    free: list[Gap] = []
    top = 0
    for number, statement in enumerate(statements):
        buffer = statement.writes.root
        if buffer.array == "s" and buffer.free:
            fits = [gap for gap in free if gap.size >= buffer.size]
            if fits:
                gap = min(fits, key=lambda gap: (gap.size, gap.at))
                free.remove(gap)
                buffer.first = gap.at
                if gap.size > buffer.size:
                    free.append(Gap(gap.at + buffer.size, gap.size - buffer.size))
            else:
                buffer.first, top = top, top + buffer.size
        for done in ends[number]:
            free = _joined([*free, Gap(done.first, done.size)])
    return top


def _joined(gaps: list[Gap]) -> list[Gap]:
    """Gaps with neighbours made one."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: gap.at):
        before = found[-1] if found else None
        if before is not None and before.at + before.size == gap.at:
            found[-1] = Gap(before.at, before.size + gap.size)
        else:
            found.append(gap)
    return found


def _functions(name: str, statements: Sequence[Statement]) -> list[str]:
    """Functions of some statements each, and one that calls them all."""
    parts, calls = [], []
    for first in range(0, len(statements), STATEMENTS):
        body = "\n".join(f"  {x.text()}" for x in statements[first : first + STATEMENTS])
        part = f"{name}_{first // STATEMENTS}"
        parts.append(f"static void {part}({_POINTERS}) {{\n{body}\n}}")
        calls.append(f"  {part}({_NAMES});")
    parts.append(f"static void {name}({_POINTERS}) {{\n" + "\n".join(calls) + "\n}")
    return parts


def _entries(sizes: dict[str, int]) -> str:
    """What is called from outside: once for every ground, and for every step."""
    x, a, p, o = (sizes[array] for array in "xapo")
    return f"""
extern "C" void prepare(long tiles, v *p, v *q) {{
  share(0, 0, 0, q, 0, 0, 0, 0);
  for (long t = 0; t < tiles; ++t) settle(0, 0, p + t * {p}, q, 0, 0, 0, 0);
}}
extern "C" void step(long tiles, const v *x, const v *a, v *p, const long *which, v *q, v *y, v *f,
                     v *o, v *s, long left) {{
  for (long t = 0; t < tiles; ++t)
    advance(x + t * {x}, a + t * {a}, p + which[t] * {p}, q, y + t * {x}, f + t * left,
            o + t * {o}, s);
}}"""
