"""The multi-resolution network of ref/ in PyTorch: a second implementation, which shares no code with the
project's, with gradients that are autograd's own and steps that are torch.optim's.

It knows what torch_row.py needs: layers with shared filters and no affine maps, max pooling, nearest
upsampling, a convolution as head.
"""

import math

import torch
import torch.nn.functional as F

CLASSES = 10


def shapes(options):
    """The filters of each layer by name, in the order of the flat vector."""
    layers, channels = int(options["layers"]), int(options["channels"])
    result = []
    for l in range(layers):
        c, k = 3 if l == 0 else channels, CLASSES if l == layers - 1 else channels
        result.append({"w": (k, c, 3, 3), "b": (k,)})
    return result


def unpack(flat, options):
    """A dictionary of leaves for each layer."""
    at, result = 0, []
    for layer in shapes(options):
        result.append({})
        for name, shape in layer.items():
            result[-1][name] = flat[at : at + math.prod(shape)].reshape(shape).clone().requires_grad_(True)
            at += math.prod(shape)
    if at != flat.numel():
        raise ValueError(f"{flat.numel()} parameters, where the options make {at}")
    return result


class Norm:
    """Batch norm without an affine map: of the batch while training, of running averages (corrected for their
    start) at inference; averages are kept where `track` is on."""

    def __init__(self, eps, momentum):
        self.eps, self.momentum, self.weight, self.mean, self.variance = eps, momentum, 0.0, 0.0, 0.0

    def __call__(self, x, mode):
        if mode == "inference":
            mean, variance = self.mean / self.weight, self.variance / self.weight
        else:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        if mode == "filters":
            count = x.numel() / x.shape[1]
            unbiased = variance.detach() * (count / (count - 1) if count > 1 else 1)
            self.mean = (1 - self.momentum) * self.mean + self.momentum * mean.detach()
            self.variance = (1 - self.momentum) * self.variance + self.momentum * unbiased
            self.weight = (1 - self.momentum) * self.weight + self.momentum
        return (x - mean[:, None, None]) / torch.sqrt(variance[:, None, None] + self.eps)


class Network:
    def __init__(self, options, filters, logits):
        self.options = options
        self.levels = int(options["levels"])
        self.layer = unpack(filters, options)
        self.a = logits.reshape(len(self.layer), self.levels).clone().requires_grad_(True)
        eps, momentum = float(options["norm-eps"]), float(options["norm-momentum"])
        self.norm = [[Norm(eps, momentum) for _ in range(self.levels)] for _ in self.layer]

    def filters(self):
        return [tensor for layer in self.layer for tensor in layer.values()]

    def alpha(self):
        return torch.softmax(self.a, 1)

    @staticmethod
    def block(x, layer, norm, mode):
        return norm(F.relu(F.conv2d(x, layer["w"], layer["b"], padding=1)), mode)

    def multires(self, x, l, mode):
        alpha, total = self.alpha()[l], 0
        for r in range(self.levels):
            if r > 0:
                x = F.max_pool2d(x, 2)
            y = self.block(x, self.layer[l], self.norm[l][r], mode)
            total = total + alpha[r] * y.repeat_interleave(2**r, 2).repeat_interleave(2**r, 3)
        return total

    def class_logits(self, x, mode):
        """mode: filters, logits (statistics of the batch, which only the first tracks) or inference."""
        for l in range(len(self.layer)):
            x = self.multires(x, l, mode)
        return x.mean((2, 3))


class Training:
    """The bilevel steps of section 4.1 on a network: SGD with momentum, Adam with its decay as L2."""

    def __init__(self, network):
        self.network = network
        o = network.options
        number = {name: float(o[name]) for name in ("lr", "lr-min", "momentum", "logits-lr", "logits-beta1",
                                                    "logits-beta2", "logits-eps", "logits-decay", "epochs")}
        self.number = number
        self.sgd = torch.optim.SGD(network.filters(), lr=number["lr"], momentum=number["momentum"])
        self.adam = torch.optim.Adam([network.a], lr=number["logits-lr"], eps=number["logits-eps"],
                                     betas=(number["logits-beta1"], number["logits-beta2"]),
                                     weight_decay=number["logits-decay"])

    def start_epoch(self, epoch):
        n = self.number
        cosine = (1 + math.cos(math.pi * epoch / n["epochs"])) / 2
        self.sgd.param_groups[0]["lr"] = n["lr-min"] + (n["lr"] - n["lr-min"]) * cosine

    def step(self, images, labels, which):
        """One step of the filters or of the logits; the mean loss before it."""
        optimizer = self.sgd if which == "filters" else self.adam
        parameters = optimizer.param_groups[0]["params"]
        loss = F.cross_entropy(self.network.class_logits(images, which), labels)
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
            parameter.grad = gradient
        optimizer.step()
        return float(loss)
