"""A whole run in PyTorch, double precision, from what `train --dump` leaves: the same net from the same first
parameters on the same batches, through autograd and torch.optim, compared step by step in its losses, alpha and
beta.

Both sides round, and each step carries on what the last one rounded; how far this grows is the run's own affair
and is measured: PyTorch repeats the run with each first filter off by 2^-44 of itself, 256 times the roundoff of a
double and more than the roundings of a sum of this net's few hundred terms amount to. The largest difference that
this makes up to a step, in whichever of losses, alpha and beta, bounds each difference between the two programs
there: Adam's first step, of its rate's length whatever the gradient, hides the perturbation from alpha, so alpha's
own would be too small. A bound above 1e-6 would accept what is wrong, and fails.

Usage: replay_torch.py FILE.h5 ...; the exit status is the verdict.
"""

import math
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F

PERTURBATION, MOST = 2.0**-44, 1e-6

torch.set_default_dtype(torch.float64)


def options_of(text):
    """Name to value of config.tsv; numbers as such."""
    pairs = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) if value.replace(".", "").replace("e-", "").isdigit() else value for name, value in pairs}


def batchnorm(x, eps):
    return F.batch_norm(x, None, None, training=True, eps=eps)


def take(filters, *shapes):
    """Consecutive parameters of these shapes, off the front of a list of numbers."""
    taken = []
    for shape in shapes:
        count = math.prod(shape)
        taken.append(filters[:count].reshape(shape).clone().requires_grad_(True))
        filters = filters[count:]
    return taken, filters


class Block:
    """B of equation 1."""

    def __init__(self, filters, c, k, kind, eps):
        self.kind, self.eps, self.skip = kind, eps, c == k
        e, q = 6 * c, max(1, c // 4)
        shapes = [(k, c, 3, 3), (k,)] if kind == "conv" else [
            (e, c, 1, 1), (e, 1, 3, 3), (q, e), (q,), (e, q), (e,), (k, e, 1, 1)]
        self.parameters, self.rest = take(filters, *shapes)

    def __call__(self, x):
        if self.kind == "conv":
            w, b = self.parameters
            return batchnorm(F.relu(F.conv2d(x, w, b, padding=1)), self.eps)
        expand, depthwise, w1, b1, w2, b2, project = self.parameters
        h = F.silu(batchnorm(F.conv2d(x, expand), self.eps))
        h = F.silu(batchnorm(F.conv2d(h, depthwise, padding=1, groups=h.shape[1]), self.eps))
        gate = torch.sigmoid(F.linear(F.silu(F.linear(h.mean((2, 3)), w1, b1)), w2, b2))
        y = batchnorm(F.conv2d(h * gate[:, :, None, None], project), self.eps)
        return y + x if self.skip else y


class Net:
    """The network of section 3: layers of R levels, the mix of depths, the average of the last layer's maps."""

    def __init__(self, options, filters, logits):
        self.layers, self.levels = int(options["layers"]), int(options["levels"])
        self.depth = options["depth"] == "learned"
        c, self.blocks, rest = int(options["channels"]), [], filters
        for l in range(self.layers):
            last = l == self.layers - 1
            kind = "conv" if l == 0 or last else options["block"]
            self.blocks.append(Block(rest, 3 if l == 0 else c, 10 if last else c, kind, options["norm-eps"]))
            rest = self.blocks[-1].rest
        if len(rest) or len(logits) != self.layers * self.levels + (self.layers - 1) * self.depth:
            raise ValueError("the dump's parameters are not those of this net")
        self.filters = [p for block in self.blocks for p in block.parameters]
        self.logits = logits.clone().requires_grad_(True)

    def alpha(self):
        return self.logits[:self.layers * self.levels].reshape(self.layers, self.levels).softmax(1)

    def beta(self):
        return self.logits[self.layers * self.levels:].softmax(0)

    def layer(self, l, x, alpha):
        y = 0
        for r in range(self.levels):
            if r > 0:
                x = F.max_pool2d(x, 2)
            h = self.blocks[l](x)
            y = y + alpha[r] * (F.interpolate(h, scale_factor=2**r, mode="nearest") if r > 0 else h)
        return y

    def loss(self, images, labels):
        alpha, maps, x = self.alpha(), [], images
        for l in range(self.layers - 1):
            x = self.layer(l, x, alpha[l])
            maps.append(x)
        if self.depth:
            x = sum(b * h for b, h in zip(self.beta(), maps))
        x = self.layer(self.layers - 1, x, alpha[-1])
        return F.cross_entropy(x.mean((2, 3)), labels)


def cosine(o, epoch):
    return o["lr-min"] + (o["lr"] - o["lr-min"]) * (1 + math.cos(math.pi * epoch / o["epochs"])) / 2


class Training:
    """SGD with momentum on D_a, Adam on D_b (section 3.4), by torch.optim."""

    def __init__(self, options, filters, logits):
        o = self.options = options
        self.net = Net(o, filters, logits)
        self.sgd = torch.optim.SGD(self.net.filters, lr=o["lr"], momentum=o["momentum"], weight_decay=o["weight-decay"])
        self.adam = torch.optim.Adam([self.net.logits], lr=o["logits-lr"], eps=o["logits-eps"],
                                     betas=(o["logits-beta1"], o["logits-beta2"]), weight_decay=o["logits-decay"])

    def step(self, optimizer, images, labels):
        self.sgd.zero_grad()
        self.adam.zero_grad()
        loss = self.net.loss(images, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    def iteration(self, epoch, a, b):
        """The two losses; a and b are batches, images and labels."""
        self.sgd.param_groups[0]["lr"] = cosine(self.options, epoch)
        losses = {}
        for name in ("a", "b") if self.options["order"] == "filters-first" else ("b", "a"):
            losses[name] = self.step(self.sgd if name == "a" else self.adam, *(a if name == "a" else b))
        return losses["a"], losses["b"]


def check_options(o):
    """This script is a second implementation of the paper's method and of no other option."""
    needed = {"net": "layers", "pooling": "learned", "first-level": 0, "down": "max", "up": "nearest",
              "norm": "per-resolution", "affine": "no", "head": "convolution", "filters": "shared", "bias": "yes",
              "logits-data": "b"}
    for name, value in needed.items():
        if o[name] != value:
            raise ValueError(f"the run has --{name}={o[name]}, and this script repeats {value} alone")


def replay(file, perturbation=0.0):
    """Everything that is compared, by name, with a row an iteration."""
    o = options_of(file.attrs["config"].decode() if isinstance(file.attrs["config"], bytes) else file.attrs["config"])
    check_options(o)
    filters = torch.tensor(file["filters"][:])
    signs = torch.tensor(np.random.default_rng(1).choice([-1.0, 1.0], len(filters)))
    training = Training(o, filters * (1 + perturbation * signs), torch.tensor(file["logits"][:]))
    result = {"a/loss": [], "b/loss": [], "alpha": []}
    if training.net.depth:
        result["beta"] = []
    for i in range(len(file["a/loss"])):
        batches = [(torch.tensor(file[f"{part}/images"][i], dtype=torch.float64),
                    torch.tensor(file[f"{part}/labels"][i], dtype=torch.int64)) for part in "ab"]
        a, b = training.iteration(i // int(o["images-a"] // o["batch"]), *batches)
        result["a/loss"].append(a)
        result["b/loss"].append(b)
        for name in ("alpha", "beta"):
            if name in result:
                result[name].append(getattr(training.net, name)().detach().numpy())
    return {name: np.array(rows) for name, rows in result.items()}


def largest_so_far(difference):
    """Of each iteration, over all numbers and all iterations before."""
    return np.maximum.accumulate(np.abs(difference).reshape(len(difference), -1).max(1))


def compare(path):
    """Prints a line a quantity; whether all agree."""
    good = True
    with h5py.File(path) as file:
        ours, moved = replay(file), replay(file, PERTURBATION)
        bound = np.max([largest_so_far(moved[name] - ours[name]) for name in ours], axis=0)
        for name, expected in ours.items():
            got = file[name][:]
            if got.shape != expected.shape:
                raise ValueError(f"{name} of {path} is {got.shape}, not {expected.shape}")
            difference = largest_so_far(got - expected)
            agrees = bool(np.all(difference <= bound)) and bound[-1] <= MOST
            span = np.ptp(expected.reshape(len(expected), -1)[[0, -1]], axis=0).max()
            good = good and agrees
            print(f"{path}  {name:7} {len(expected):3} iterations, moved {span:.2g}; largest difference {difference[-1]:.2g}"
                  f"  bound {bound[-1]:.2g}{'' if agrees else '  FAILED'}")
    return good


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__.splitlines()[-2])
        sys.exit(2)
    sys.exit(0 if all([compare(path) for path in sys.argv[1:]]) else 1)
