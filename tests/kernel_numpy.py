"""Every operation of build/kernel against PyTorch in double precision, in every kernel set.

Inputs are random numbers that a float holds exactly, so that both sets and PyTorch start from the same. Each
comparison has its own bound, derived in kernel_bounds.py. Pool windows have no ties and no ReLU stands within
its error of 0, so no bound is carried through a kink. For bf16 the tensors and filters are numbers that a
bfloat16 holds, and a result that is a tensor may be off by one more rounding of 2^-8; the layer, multires, is
left to make check, which looks at it stage by stage. So are the fast sets' squeeze_excite and mbconv, of whose
many steps only ref's is compared here.

Usage: kernel_numpy.py [seed]. The folder of kernel is $NOPOOL_BUILD or build; the exit status is the verdict.
"""

import os
import re
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch
from kernel_bounds import C as CONSTANT
from kernel_bounds import OPERATIONS, Case, adam_agrees_with_torch, multires_parts

KERNEL = os.path.join(os.environ.get("NOPOOL_BUILD", "build"), "kernel")
UNIT = {"ref": 2.0**-53, "f32": 2.0**-24, "bf16": 2.0**-24}
BFLOAT16 = 2.0**-8
# What bf16 stores as tensors of bfloat16 (and filters of convolutions), by operation; all else is float.
TENSORS = {"conv2d": ("x", "w", "dy", "y", "dx"), "global_average": ("x", "dx"),
           **{name: ("x", "dy", "y", "dx") for name in ("pool", "upsample", "relu", "batchnorm", "mix", "sigmoid", "swish", "depthwise")}}


def write(path, case, rng):
    """As different users would: float64 or float32, whole numbers of any width, fixed or variable strings."""
    with h5py.File(path, "w") as file:
        for name, value in case.arrays.items():
            value = np.asarray(value)
            whole = np.issubdtype(value.dtype, np.integer)
            kind = rng.choice([np.int32, np.int64, np.uint8, np.int16] if whole else [np.float64, np.float32])
            if not np.array_equal(value.astype(kind), value):
                kind = value.dtype
            value = value.astype(kind)
            if value.ndim == 0 and rng.integers(2):
                value = value.reshape(1)
            options = {"compression": "gzip"} if value.ndim > 1 and rng.integers(2) else {}
            file.create_dataset(name, data=value, **options)
        for name, word in case.words.items():
            file.attrs[name] = np.bytes_(word) if rng.integers(2) else word


def run(operation, kernel_set, case, folder, rng):
    source, target = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    write(source, case, rng)
    if os.path.exists(target):
        os.remove(target)
    done = subprocess.run([KERNEL, operation, kernel_set, source, target], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{operation} {kernel_set}: {done.stderr.strip()}")
    with h5py.File(target) as file:
        wanted = np.float64 if kernel_set == "ref" else np.float32
        for name, dataset in file.items():
            if dataset.dtype != wanted or dataset.chunks is not None:
                raise AssertionError(f"{operation} {kernel_set}: {name}: {dataset.dtype}, or not contiguous")
        return {name: dataset[()] for name, dataset in file.items()}


def judge(got, expected):
    """The largest error as a fraction of its bound; infinity for NaN, wrong names or shapes, empty bounds."""
    if set(got) != set(expected):
        return np.inf, f"results are {sorted(got)}, expected {sorted(expected)}"
    worst, where = 0.0, ""
    for name, (value, bound) in expected.items():
        value, bound = torch.as_tensor(value).detach().numpy(), torch.as_tensor(bound).detach().numpy()
        if got[name].shape != value.shape:
            return np.inf, f"{name} has the shape {got[name].shape}, expected {value.shape}"
        bound = np.broadcast_to(bound, value.shape)
        if value.size == 0 or not (np.max(bound) < np.max(np.abs(value)) or np.max(bound) == 0):
            return np.inf, f"{name}: the bound would accept anything"
        error = np.abs(got[name].astype(np.float64) - value)
        if not np.all(error <= bound):
            return np.inf, f"{name}: {np.sum(~(error <= bound))} of {value.size} outside their bounds"
        ratio = np.max(np.divide(error, bound, out=np.zeros(error.shape), where=bound > 0))
        if ratio > worst:
            worst, where = float(ratio), name
    return worst, where


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def distinct(rng, *shape):
    """Numbers in -2..2 that differ from one another."""
    count = int(np.prod(shape))
    return ((rng.permutation(count) + 0.5) / count * 4 - 2).astype(np.float32).reshape(shape)


def as_float(value):
    return np.float32(value)


def conv2d_cases(rng):
    for n, c, k, h, w, side, stride, bias in [(1, 1, 1, 1, 1, 3, 1, 1), (2, 3, 5, 7, 4, 3, 1, 1),
                                              (17, 3, 16, 8, 8, 3, 1, 0), (3, 16, 17, 5, 5, 1, 1, 1),
                                              (2, 4, 3, 7, 8, 3, 2, 1), (1, 33, 32, 2, 2, 3, 1, 1),
                                              (2, 3, 4, 9, 5, 1, 2, 0), (16, 32, 64, 4, 4, 3, 1, 1)]:
        arrays = {"x": normal(rng, n, c, h, w), "w": normal(rng, k, c, side, side),
                  "dy": normal(rng, n, k, -(-h // stride), -(-w // stride))}
        if bias:
            arrays["b"] = normal(rng, k)
        if stride != 1 or rng.integers(2):
            arrays["stride"] = stride
        yield Case(arrays)


def pool_cases(rng):
    for mode in ("max", "avg", "subsample"):
        for n, c, h, w, factor in [(2, 3, 8, 4, 2), (17, 5, 8, 16, 4), (2, 1, 8, 8, 8), (3, 2, 5, 7, 1)]:
            yield Case({"x": distinct(rng, n, c, h, w), "factor": factor,
                        "dy": normal(rng, n, c, h // factor, w // factor)}, {"mode": mode})


def upsample_cases(rng):
    for mode in ("nearest", "bilinear", "zeros"):
        for n, c, h, w, factor in [(2, 3, 4, 2, 2), (17, 5, 3, 4, 4), (1, 1, 1, 1, 8), (3, 2, 5, 7, 1)]:
            yield Case({"x": normal(rng, n, c, h, w), "factor": factor,
                        "dy": normal(rng, n, c, h * factor, w * factor)}, {"mode": mode})


def relu_cases(rng):
    for shape in [(2, 3, 4, 5), (17, 5), (40,), (2, 3, 4)]:
        yield Case({"x": normal(rng, *shape), "dy": normal(rng, *shape)})


def sigmoid_cases(rng):
    for shape in [(2, 3, 4, 5), (17, 5), (40,), (2, 3, 4)]:
        yield Case({"x": as_float(4 * normal(rng, *shape)), "dy": normal(rng, *shape)})


swish_cases = sigmoid_cases


def depthwise_cases(rng):
    for n, c, h, w, bias in [(1, 1, 1, 1, 1), (2, 3, 7, 4, 1), (17, 5, 8, 8, 0), (3, 130, 2, 3, 1), (16, 33, 4, 5, 0)]:
        arrays = {"x": normal(rng, n, c, h, w), "w": normal(rng, c, 1, 3, 3), "dy": normal(rng, n, c, h, w)}
        if bias:
            arrays["b"] = normal(rng, c)
        yield Case(arrays)


def squeeze_excite_cases(rng):
    for n, c, q, h, w in [(1, 1, 1, 1, 1), (2, 6, 2, 3, 4), (17, 5, 3, 2, 2), (3, 40, 10, 4, 5)]:
        yield Case({"x": normal(rng, n, c, h, w), "w1": normal(rng, q, c), "b1": normal(rng, q),
                    "w2": normal(rng, c, q), "b2": normal(rng, c), "dy": normal(rng, n, c, h, w)})


def mbconv_cases(rng):
    for n, c, k, h, w in [(3, 2, 2, 3, 4), (5, 3, 4, 2, 2), (17, 9, 9, 4, 4), (4, 8, 8, 5, 3)]:
        e, q = 6 * c, max(1, c // 4)
        yield Case({"x": normal(rng, n, c, h, w), "expand": normal(rng, e, c, 1, 1), "eps": 0.01,
                    "depthwise": normal(rng, e, 1, 3, 3), "w1": normal(rng, q, e), "b1": normal(rng, q),
                    "w2": normal(rng, e, q), "b2": normal(rng, e), "project": normal(rng, k, e, 1, 1),
                    "dy": normal(rng, n, k, h, w)})


def batchnorm_cases(rng):
    for n, c, h, w, affine in [(2, 3, 4, 5, 0), (17, 5, 3, 3, 1), (3, 1, 2, 1, 1), (32, 16, 4, 4, 0)]:
        arrays = {"x": normal(rng, n, c, h, w) * as_float(1.5) + as_float(0.5), "eps": 1e-5,
                  "dy": normal(rng, n, c, h, w)}
        if affine:
            arrays.update(gamma=normal(rng, c), beta=normal(rng, c))
        yield Case(arrays)


def mix_cases(rng):
    for levels, shape in [(1, (2, 3, 4, 5)), (5, (17, 3, 4, 4)), (8, (3, 4)), (3, (50,))]:
        arrays = {f"x{r}": normal(rng, *shape) for r in range(levels)}
        yield Case({**arrays, "a": normal(rng, levels), "dy": normal(rng, *shape)})


def linear_cases(rng):
    for n, c, k in [(1, 1, 1), (17, 5, 3), (2, 64, 10), (33, 16, 17)]:
        yield Case({"x": normal(rng, n, c), "w": normal(rng, k, c), "b": normal(rng, k),
                    "dy": normal(rng, n, k)})


def global_average_cases(rng):
    for n, c, h, w in [(1, 1, 1, 1), (17, 5, 3, 4), (2, 10, 8, 8)]:
        yield Case({"x": normal(rng, n, c, h, w), "dy": normal(rng, n, c)})


def cross_entropy_cases(rng):
    for n, k in [(5, 2), (17, 10), (64, 3)]:
        yield Case({"logits": normal(rng, n, k) * as_float(2), "labels": rng.integers(0, k, n)})


def multires_case(rng, shape, channels, levels, bias, words):
    """The images differ in contrast and brightness, so that a map of one pixel still has a variance over the
    batch; and dy has a part that tells the levels apart, so that da is no small difference of large sums."""
    n, c, h, w = shape
    contrast, brightness = rng.uniform(0.25, 1, (n, c, 1, 1)), rng.uniform(-1, 1, (n, c, 1, 1))
    arrays = {"x": (distinct(rng, *shape) * contrast + brightness).astype(np.float32),
              "w": normal(rng, channels, c, 3, 3), "a": normal(rng, levels), "eps": 1e-5}
    if bias:
        arrays["b"] = normal(rng, channels)
    maps = [level["up"].detach().numpy() for level in multires_parts(Case(arrays, words))[2]]
    arrays["dy"] = (normal(rng, n, channels, h, w) + maps[0] - maps[-1]).astype(np.float32)
    return Case(arrays, words)


def multires_cases(rng):
    for shape, channels, levels, bias in [((4, 3, 8, 4), 4, 1, 1), ((16, 2, 4, 8), 5, 3, 1),
                                          ((17, 3, 4, 8), 8, 2, 0), ((20, 3, 16, 16), 4, 5, 1)]:
        for down in ("max", "avg", "subsample"):
            for up in ("nearest", "bilinear"):
                yield multires_case(rng, shape, channels, levels, bias, {"down": down, "up": up})


def sgd_step_cases(rng):
    for shape in [(1,), (4, 3, 3, 3), (100,)]:
        arrays = {n: normal(rng, *shape) for n in ("w", "dw", "v")}
        yield Case({**arrays, "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4})


def adam_step_cases(rng):
    for shape, t in [((5,), 1), ((10, 5), 7), ((33,), 1000)]:
        arrays = {n: normal(rng, *shape) for n in ("w", "dw", "m")}
        arrays["v"] = rng.uniform(0.1, 1, shape).astype(np.float32)
        yield Case({**arrays, "t": t, "lr": 1e-2, "beta1": 0.5, "beta2": 0.999, "eps": 1e-8,
                    "weight_decay": 3e-4})


def cosine_lr_cases(rng):
    for epoch, epochs in [(0, 400), (399, 400), (2.5, 5), (0, 1)]:
        yield Case({"epoch": epoch, "epochs": epochs, "lr_max": 0.1, "lr_min": 0.001})


def is_tensor(operation, name):
    return name.rstrip("0123456789") in TENSORS.get(operation, ())


def as_bf16(operation, case):
    arrays = {n: torch.tensor(v).bfloat16().float().numpy() if is_tensor(operation, n) else v
              for n, v in case.arrays.items()}
    return Case(arrays, case.words, bf16=True)


def stores_of_dx(operation, case):
    """How often backward stores one pixel, and of how many terms kernel_bounds.py makes its bound."""
    if case.words.get("mode") == "bilinear":
        return 4 * int(case.arrays["factor"]) ** 2, 4 * int(case.arrays["factor"]) ** 2
    if operation == "conv2d" and case.arrays.get("stride", 1) == 2:
        return 4, case.arrays["w"].shape[0] * case.arrays["w"].shape[-1] ** 2
    return 1, 0


def with_stores(operation, case, expected):
    """Bounds with one more rounding for a tensor. Where a pass adds to a pixel several times, each sum is rounded,
    and none is over the sum of absolute values, which the float bound is a multiple of."""
    result = {}
    for name, (value, bound) in expected.items():
        value, bound = torch.as_tensor(value).detach(), torch.as_tensor(bound).detach()
        stores, terms = stores_of_dx(operation, case) if name == "dx" else (1, 0)
        size = value.abs() + bound if stores == 1 else bound / (terms + CONSTANT) / UNIT["bf16"]
        stored = is_tensor(operation, name)
        result[name] = (value, bound + stores * BFLOAT16 * size if stored else bound)
    return result


def judge_can_fail():
    """Right results pass; NaN, a wrong value, name or shape, and a bound that accepts anything do not."""
    one, bound = torch.ones(2), torch.full((2,), 1e-3)
    wrong = [({"y": np.array([1, np.nan])}, bound), ({"y": np.array([1, 1.01])}, bound),
             ({"z": np.ones(2)}, bound), ({"y": np.ones(3)}, bound), ({"y": np.ones(2)}, one)]
    return (judge({"y": np.ones(2)}, {"y": (one, bound)})[0] == 0 and
            all(judge(got, {"y": (one, b)})[0] == np.inf for got, b in wrong))


def compare(name, kernel_set, seed, folder):
    """The cases of one pass: how many ran, the worst ratio, and where."""
    single = name in OPERATIONS
    operation = name if single else name.rsplit("_", 1)[0]
    backward = not single and name.endswith("_backward")
    ran, worst, where = 0, 0.0, ""
    for attempt in range(2):
        rng = np.random.default_rng([seed, attempt])
        for case in globals()[operation + "_cases"](rng):
            if kernel_set == "bf16":
                if backward and stores_of_dx(operation, case)[0] >= 1 / BFLOAT16:
                    continue  # the bound would accept anything
                case = as_bf16(operation, case)
            expected = OPERATIONS[operation](case, UNIT[kernel_set], backward)
            if expected is None:
                continue
            if kernel_set == "bf16":
                expected = with_stores(operation, case, expected)
            ratio, place = judge(run(name, kernel_set, case, folder, rng), expected)
            ran += 1
            if not ratio <= worst:
                worst, where = ratio, place
    return ran, worst, where


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    if not os.path.exists(KERNEL):
        print(f"{KERNEL} is missing; build it with make {KERNEL}, or set NOPOOL_BUILD")
        return 1
    listed = subprocess.run([KERNEL, "--help"], capture_output=True, text=True, check=True).stdout
    passes = re.findall(r"^  (\w+)$", listed, re.MULTILINE)
    failed = len(passes) == 0
    if not judge_can_fail():
        print("the comparison of this script accepts what is wrong")
        failed = True
    if not all(adam_agrees_with_torch(case) for case in adam_step_cases(np.random.default_rng(seed))):
        print("the Adam of this script is not torch.optim.Adam")
        failed = True
    with tempfile.TemporaryDirectory() as folder:
        for name in passes:
            for kernel_set in UNIT:
                if kernel_set == "bf16" and name.startswith("multires") or kernel_set != "ref" and name.startswith(
                        ("squeeze_excite", "mbconv")):
                    continue
                ran, worst, where = compare(name, kernel_set, seed, folder)
                good = ran > 0 and worst <= 1
                failed = failed or not good
                print(f"{name:24} {kernel_set:4} {ran:3} cases  worst error / bound {worst:6.3f}  {where:8}"
                      f"{'' if good else '  FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
