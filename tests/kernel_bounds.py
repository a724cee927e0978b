"""The operations of build/kernel in PyTorch, with error bounds: what kernel_numpy.py expects of each pass.

Each function takes a Case, the unit roundoff u of the kernel set (2^-53 or 2^-24) and the pass, and returns
{result: (value, bound)}. The values are PyTorch's in double precision, gradients its own. The bounds are a
running error analysis to first order: a sum of n terms errs by at most (n + C) u times the same sum over
absolute values, its gauge, and an error on the way is carried on by what follows. PyTorch's own rounding is
that of n terms in double, and is inside the constants.
"""

import numpy as np
import torch
import torch.nn.functional as F

C = 8  # roundings of one result beside its sum: products, a division or root, the last store; and PyTorch's

torch.set_default_dtype(torch.float64)


class Case:
    """Inputs of one call: arrays and numbers, and words."""

    def __init__(self, arrays, words=None, bf16=False):
        self.arrays = arrays
        self.words = words or {}
        self.bf16 = bf16  # what is a tensor is stored in bfloat16 on the way, too

    def tensor(self, name):
        return torch.tensor(np.asarray(self.arrays[name], dtype=np.float64))


def gradients(y, dy, **inputs):
    """{"dNAME": gradient} of <dy, y>."""
    names = list(inputs)
    values = torch.autograd.grad(y, [inputs[n] for n in names], dy, allow_unused=True)
    return {"d" + n: v for n, v in zip(names, values)}


def leaf(tensor):
    return tensor.clone().requires_grad_(True)


def conv2d_of(x, w, b, stride):
    return F.conv2d(x, w, b, stride=stride, padding=(w.shape[-1] - 1) // 2)


def conv2d(case, u, backward):
    stride = int(case.arrays.get("stride", 1))
    names = [n for n in ("x", "w", "b") if n in case.arrays]
    value = {n: leaf(case.tensor(n)) for n in names}
    gauge = {n: leaf(case.tensor(n).abs()) for n in names}
    y = conv2d_of(value["x"], value["w"], value.get("b"), stride)
    y_gauge = conv2d_of(gauge["x"], gauge["w"], gauge.get("b"), stride)
    k, c, side, _ = value["w"].shape
    if not backward:
        return {"y": (y, (c * side**2 + C) * u * y_gauge)}
    dy = case.tensor("dy")
    pixels = dy.numel() // k
    terms = {"dx": k * side**2, "dw": pixels, "db": pixels}
    exact, bound = gradients(y, dy, **value), gradients(y_gauge, dy.abs(), **gauge)
    return {n: (exact[n], (terms[n] + C) * u * bound[n]) for n in exact}


def pool_of(x, mode, factor):
    if mode == "max":
        return F.max_pool2d(x, factor)
    return F.avg_pool2d(x, factor) if mode == "avg" else x[:, :, ::factor, ::factor]


def pool_terms(mode, factor):
    """u times this times the gauge bounds pooling; a choice is exact."""
    return factor**2 + C if mode == "avg" else 0


def pool(case, u, backward):
    mode, factor = case.words["mode"], int(case.arrays["factor"])
    x, gauge = leaf(case.tensor("x")), leaf(case.tensor("x").abs())
    y = pool_of(x, mode, factor)
    if not backward:
        return {"y": (y, pool_terms(mode, factor) * u * pool_of(gauge, mode, factor))}
    dx = gradients(y, case.tensor("dy"), x=x)["dx"]
    return {"dx": (dx, (C if mode == "avg" else 0) * u * dx.abs())}


def upsample_of(x, mode, factor):
    if mode == "zeros":
        n, c, h, w = x.shape
        return F.pad(x.reshape(n, c, h, 1, w, 1), (0, factor - 1, 0, 0, 0, factor - 1)).reshape(
            n, c, h * factor, w * factor)
    options = {"align_corners": False} if mode == "bilinear" else {}
    return F.interpolate(x, scale_factor=factor, mode=mode, **options)


def upsample(case, u, backward):
    mode, factor = case.words["mode"], int(case.arrays["factor"])
    x, gauge = leaf(case.tensor("x")), leaf(case.tensor("x").abs())
    y, y_gauge = upsample_of(x, mode, factor), upsample_of(gauge, mode, factor)
    if not backward:
        return {"y": (y, (4 + C if mode == "bilinear" else 0) * u * y_gauge)}
    dy = case.tensor("dy")
    bound = gradients(y_gauge, dy.abs(), x=gauge)["dx"]
    return {"dx": (gradients(y, dy, x=x)["dx"], (4 * factor**2 + C) * u * bound)}


def relu(case, u, backward):
    x = leaf(case.tensor("x"))
    if not backward:
        return {"y": (F.relu(x), 0.0)}
    return {"dx": (gradients(F.relu(x), case.tensor("dy"), x=x)["dx"], 0.0)}


def sigmoid(case, u, backward):
    x = leaf(case.tensor("x"))
    y = torch.sigmoid(x)
    if not backward:
        return {"y": (y, C * u * y)}
    # y carries an error of C u, and in bf16 a rounding of 2^-8, to 1 - y.
    stored = 2.0**-8 if case.bf16 else 0.0
    return {"dx": (gradients(y, case.tensor("dy"), x=x)["dx"],
                   case.tensor("dy").abs() * y * (4 * u * (1 - y) + (C * u + stored) * (1 - y) + (C * u + stored) * y))}


def swish(case, u, backward):
    x = leaf(case.tensor("x"))
    y = F.silu(x)
    if not backward:
        return {"y": (y, (C + 1) * u * y.abs())}
    s = torch.sigmoid(x)
    slope = s + x.abs() * s * (1 - s)
    return {"dx": (gradients(y, case.tensor("dy"), x=x)["dx"], 22 * u * case.tensor("dy").abs() * slope)}


def depthwise(case, u, backward):
    names = [n for n in ("x", "w", "b") if n in case.arrays]
    value = {n: leaf(case.tensor(n)) for n in names}
    gauge = {n: leaf(case.tensor(n).abs()) for n in names}
    n, c, h, w = value["x"].shape
    y = F.conv2d(value["x"], value["w"], value.get("b"), padding=1, groups=c)
    y_gauge = F.conv2d(gauge["x"], gauge["w"], gauge.get("b"), padding=1, groups=c)
    if not backward:
        return {"y": (y, (9 + C) * u * y_gauge)}
    dy, terms = case.tensor("dy"), {"dx": 9, "dw": n * h * w, "db": n * h * w}
    exact, bound = gradients(y, dy, **value), gradients(y_gauge, dy.abs(), **gauge)
    return {k: (exact[k], (terms[k] + C) * u * bound[k]) for k in exact}


LARGEST = 1e-6  # of a tensor's largest number: what a right gradient of the reference reaches


def compared_by_size(expected):
    return {n: (value, LARGEST * value.abs().max()) for n, value in expected.items()}


def excited(x, w1, b1, w2, b2):
    hidden = F.silu(F.linear(x.mean((2, 3)), w1, b1))
    return x * torch.sigmoid(F.linear(hidden, w2, b2))[:, :, None, None]


def squeeze_excite(case, _, backward):
    value = {n: leaf(case.tensor(n)) for n in ("x", "w1", "b1", "w2", "b2")}
    y = excited(**value)
    return compared_by_size(gradients(y, case.tensor("dy"), **value) if backward else {"y": y})


def mbconv(case, _, backward):
    names = ("x", "expand", "depthwise", "w1", "b1", "w2", "b2", "project")
    value, eps = {n: leaf(case.tensor(n)) for n in names}, float(case.arrays["eps"])

    def norm(t):
        return F.batch_norm(t, None, None, training=True, eps=eps)

    h = F.silu(norm(F.conv2d(value["x"], value["expand"])))
    h = F.silu(norm(F.conv2d(h, value["depthwise"], padding=1, groups=h.shape[1])))
    h = excited(h, value["w1"], value["b1"], value["w2"], value["b2"])
    y = norm(F.conv2d(h, value["project"]))
    y = y + value["x"] if y.shape[1] == value["x"].shape[1] else y
    return compared_by_size(gradients(y, case.tensor("dy"), **value) if backward else {"y": y})


class Norm:
    """Batch norm in training mode with bounds: x may already carry an error ex, dy an error edy."""

    def __init__(self, x, ex, eps, u):
        self.x, self.u = x, u
        m = x.numel() / x.shape[1]
        self.m = m
        self.mean, centred = self.over(x), x - self.over(x)
        self.var = self.over(centred**2)
        self.e_mean = (m + C) * u * self.over(x.abs()) + self.over(ex)
        # From x - mean, or from the mean of squares: either way relative to at most mean(x^2) in the sum.
        self.e_var = (m + C) * u * self.var + 2 * self.over(centred.abs() * (ex + self.e_mean))
        self.scale = (self.var + eps) ** -0.5
        self.relative = self.e_var / (2 * (self.var + eps)) + C * u
        self.xhat = centred * self.scale
        # As (x - mean) scale or as x scale - mean scale.
        self.size = self.scale * (x.abs() + self.mean.abs())
        self.e_xhat = self.scale * (ex + self.e_mean) + self.xhat.abs() * self.relative + 3 * u * self.size

    @staticmethod
    def over(x):
        return x.mean(dim=(0, 2, 3), keepdim=True)

    def backward_bound(self, dy, edy, gamma):
        """Bounds of dx, dgamma, dbeta."""
        u, m, over = self.u, self.m, self.over
        mean_dy, mean_dyx = over(dy), over(dy * self.xhat)
        e_a = (m + C) * u * over(dy.abs()) + over(edy)
        e_b = (m + C) * u * over(dy.abs() * self.size) + over(dy.abs() * self.e_xhat + edy * self.size)
        whole = dy.abs() + mean_dy.abs() + self.size * mean_dyx.abs()
        dx = (self.relative + C * u) * whole + edy + e_a
        dx = dx + self.xhat.abs() * e_b + self.e_xhat * mean_dyx.abs()
        return self.scale * gamma.abs() * dx, (e_b * m).flatten(), (e_a * m).flatten()


def batchnorm(case, u, backward):
    eps = float(case.arrays["eps"])
    affine = "gamma" in case.arrays
    channels = case.arrays["x"].shape[1]
    x = leaf(case.tensor("x"))
    gamma = leaf(case.tensor("gamma") if affine else torch.ones(channels))
    beta = leaf(case.tensor("beta") if affine else torch.zeros(channels))
    y = F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)
    norm = Norm(x.detach(), torch.zeros_like(x), eps, u)
    g, b = gamma.detach().view(1, -1, 1, 1), beta.detach().view(1, -1, 1, 1)
    if not backward:
        bound = g.abs() * (norm.e_xhat + 3 * u * norm.size) + 3 * u * b.abs()
        return {
            "y": (y, bound),
            "mean": (norm.mean.flatten(), norm.e_mean.flatten()),
            "var": (norm.var.flatten(), norm.e_var.flatten() + u * norm.var.flatten()),
        }
    dy = case.tensor("dy")
    exact = gradients(y, dy, x=x, gamma=gamma, beta=beta)
    bounds = dict(zip(("dx", "dgamma", "dbeta"), norm.backward_bound(dy, torch.zeros_like(dy), g)))
    return {n: (exact[n], bounds[n]) for n in (exact if affine else ["dx"])}


def softmax_relative(a, u):
    """The relative error of softmax: of the exponents, of R terms, of a division."""
    return (len(a) + C + 2 * float(a.max() - a.min())) * u


def logits_bound(alpha, relative, dalpha, e_dalpha, u):
    """Of da = alpha (dalpha - sum alpha dalpha); with one level alpha is 1 and da 0, without rounding."""
    if len(alpha) == 1:
        return torch.zeros(1)
    rounding = (relative + (len(alpha) + C) * u) * (dalpha.abs() + (alpha * dalpha.abs()).sum())
    return alpha * (2 * rounding + e_dalpha + (alpha * e_dalpha).sum())


def mix(case, u, backward):
    a = leaf(case.tensor("a"))
    x = [leaf(case.tensor(f"x{r}")) for r in range(len(a))]
    alpha = torch.softmax(a, 0)
    y = sum(alpha[r] * x[r] for r in range(len(a)))
    relative = softmax_relative(a, u)
    if not backward:
        gauge = sum(alpha[r] * x[r].abs() for r in range(len(a)))
        return {"y": (y, (relative + (len(a) + C) * u) * gauge), "alpha": (alpha, relative * alpha)}
    dy = case.tensor("dy")
    exact = gradients(y, dy, a=a, **{f"x{r}": x[r] for r in range(len(a))})
    dalpha = torch.stack([(dy * v).sum() for v in x])
    e_dalpha = (dy.numel() + C) * u * torch.stack([(dy * v).abs().sum() for v in x])
    expected = {"da": (exact["da"], logits_bound(alpha, relative, dalpha, e_dalpha, u))}
    for r in range(len(a)):
        dx = exact[f"dx{r}"]
        expected[f"dx{r}"] = (dx, (relative + C * u) * dx.abs())
    return expected


def linear(case, u, backward):
    value = {n: leaf(case.tensor(n)) for n in ("x", "w", "b")}
    gauge = {n: leaf(case.tensor(n).abs()) for n in ("x", "w", "b")}
    y, y_gauge = (F.linear(v["x"], v["w"], v["b"]) for v in (value, gauge))
    n, c = value["x"].shape
    if not backward:
        return {"y": (y, (c + C) * u * y_gauge)}
    dy = case.tensor("dy")
    terms = {"dx": dy.shape[1], "dw": n, "db": n}
    exact, bound = gradients(y, dy, **value), gradients(y_gauge, dy.abs(), **gauge)
    return {k: (exact[k], (terms[k] + C) * u * bound[k]) for k in exact}


def global_average(case, u, backward):
    x = leaf(case.tensor("x"))
    y = x.mean(dim=(2, 3))
    if not backward:
        return {"y": (y, (x[0, 0].numel() + C) * u * x.abs().mean(dim=(2, 3)))}
    dx = gradients(y, case.tensor("dy"), x=x)["dx"]
    return {"dx": (dx, C * u * dx.abs())}


def cross_entropy(case, u, backward):
    logits, labels = leaf(case.tensor("logits")), case.tensor("labels").long()
    n, k = logits.shape
    loss = F.cross_entropy(logits, labels)
    lse = torch.logsumexp(logits, 1)
    spread = logits.max(1).values - logits.min(1).values
    e_lse = (k + C + 2 * spread + 2 * lse.abs() + logits.abs().max(1).values) * u
    if not backward:
        each = F.cross_entropy(logits, labels, reduction="none")
        picked = logits[torch.arange(n), labels].abs()
        return {"loss": (loss, (e_lse + C * u * (lse.abs() + picked) + (n + C) * u * each).mean())}
    p, target = torch.softmax(logits, 1), F.one_hot(labels, k)
    bound = (p * (e_lse.view(-1, 1) + C * u * (1 + logits.abs())) + C * u * (p - target).abs()) / n
    return {"dlogits": (gradients(loss, torch.tensor(1.0), logits=logits)["dlogits"], bound)}


def multires_parts(case):
    """The layer in PyTorch: y, and each level's intermediate tensors."""
    value = {n: leaf(case.tensor(n)) for n in ("x", "w", "b", "a") if n in case.arrays}
    alpha, levels = torch.softmax(value["a"], 0), []
    for r in range(len(alpha)):
        pooled = pool_of(value["x"], case.words["down"], 2**r)
        conv = conv2d_of(pooled, value["w"], value.get("b"), 1)
        act = F.relu(conv)
        norm = F.batch_norm(act, None, None, None, None, training=True, eps=float(case.arrays["eps"]))
        levels.append({"pooled": pooled, "conv": conv, "act": act, "norm": norm,
                       "up": upsample_of(norm, case.words["up"], 2**r)})
    return value, alpha, levels, sum(alpha[r] * levels[r]["up"] for r in range(len(alpha)))


def level_bound(case, u, value, level, r):
    """Adds to a level the error bounds of its stages going forward."""
    w, b = value["w"].detach().abs(), value.get("b")
    sizes = pool_of(value["x"].detach().abs(), "avg", 2**r)
    level["e_pooled"] = pool_terms(case.words["down"], 2**r) * u * sizes
    gauge = conv2d_of(level["pooled"].detach().abs(), w, None if b is None else b.detach().abs(), 1)
    level["e_conv"] = (w[0].numel() + C) * u * gauge + conv2d_of(level["e_pooled"], w, None, 1)
    level["n"] = Norm(level["act"].detach(), level["e_conv"], float(case.arrays["eps"]), u)
    rounding = (4 + C) * u * level["n"].size
    level["e_up"] = upsample_of(level["n"].e_xhat + rounding, case.words["up"], 2**r)
    level["size"] = upsample_of(level["n"].size, case.words["up"], 2**r)


def transposed(function, like, cotangent):
    """The transpose of a linear map, applied to the cotangent."""
    x = leaf(torch.zeros_like(like))
    return torch.autograd.grad(function(x), x, cotangent)[0]


def level_gradient_bounds(case, u, value, level, alpha, relative, dy, r):
    """Bounds of one level's share of dx, dw, db and dalpha; the exact intermediate gradients come with it."""
    w, factor, up = value["w"].detach(), 2**r, case.words["up"]
    dup = (alpha * dy).abs()
    gauge = transposed(lambda t: upsample_of(t, up, factor), level["norm"], dup)
    e_norm = (relative + (4 * factor**2 + C) * u) * gauge
    one = torch.ones(1, w.shape[0], 1, 1)
    e_act, _, _ = level["n"].backward_bound(level["dnorm"], e_norm, one)
    e_dconv = e_act * (level["conv"] > 0)
    dconv, pooled = level["dconv"].abs(), level["pooled"].detach().abs()
    terms = dconv.numel() // w.shape[0]

    def weights(x, dy):
        return torch.nn.grad.conv2d_weight(x, w.shape, dy, padding=1)

    def data(dy):
        return torch.nn.grad.conv2d_input(pooled.shape, w.abs(), dy, padding=1)

    dw = (terms + C) * u * weights(pooled, dconv)
    dw = dw + weights(pooled, e_dconv) + weights(level["e_pooled"], dconv)
    db = (terms + C) * u * dconv.sum((0, 2, 3)) + e_dconv.sum((0, 2, 3))
    e_dpooled = (w.shape[0] * 9 + C) * u * data(dconv) + data(e_dconv)
    dx = torch.autograd.grad(level["pooled"], value["x"], e_dpooled, retain_graph=True)[0]
    dalpha = (dy.numel() + C) * u * (dy.abs() * level["size"]).sum() + (dy.abs() * level["e_up"]).sum()
    return dx, dw, db, dalpha


def multires(case, u, backward):
    value, alpha, levels, y = multires_parts(case)
    for r, level in enumerate(levels):
        level_bound(case, u, value, level, r)
        if backward and not torch.all((level["conv"].abs() > level["e_conv"]) | (level["e_conv"] == 0)):
            return None  # a ReLU within its error of 0: draw again
    relative = softmax_relative(value["a"].detach(), u)
    count, fixed = len(levels), alpha.detach()
    if not backward:
        rounding = relative + (count + C) * u
        bound = sum(fixed[r] * (v["e_up"] + rounding * v["size"]) for r, v in enumerate(levels))
        return {"y": (y, bound)}
    dy = case.tensor("dy")
    exact = gradients_kept(y, dy, value, levels)
    shares = [level_gradient_bounds(case, u, value, v, fixed[r], relative, dy, r)
              for r, v in enumerate(levels)]
    dalpha = torch.stack([(dy * v["up"].detach()).sum() for v in levels])
    bounds = {n: sum(s[i] for s in shares) for i, n in enumerate(("dx", "dw", "db"))}
    for name in ("dx", "dw", "db"):
        if name in exact:
            bounds[name] = bounds[name] + count * u * exact[name].abs()
    bounds["da"] = logits_bound(fixed, relative, dalpha, torch.stack([s[3] for s in shares]), u)
    return {n: (exact[n], bounds[n]) for n in exact}


def gradients_kept(y, dy, value, levels):
    """Gradients of the inputs; each level also keeps those of its normalised and convolved maps."""
    inner = [v[k] for v in levels for k in ("norm", "conv")]
    names = list(value)
    found = torch.autograd.grad(y, [value[n] for n in names] + inner, dy, retain_graph=True)
    for r, level in enumerate(levels):
        level["dnorm"], level["dconv"] = found[len(names) + 2 * r], found[len(names) + 2 * r + 1]
    return {"d" + n: found[i] for i, n in enumerate(names)}


def sgd_step(case, u, _):
    w, dw, v = (case.tensor(n) for n in ("w", "dw", "v"))
    lr, momentum, decay = (float(case.arrays[n]) for n in ("lr", "momentum", "weight_decay"))
    moved = momentum * v + dw + decay * w
    e_v = C * u * ((momentum * v).abs() + dw.abs() + (decay * w).abs())
    return {"v": (moved, e_v), "w": (w - lr * moved, C * u * (w.abs() + lr * moved.abs()) + lr * e_v)}


def adam_step(case, u, _):
    w, dw, m, v = (case.tensor(n) for n in ("w", "dw", "m", "v"))
    t, lr, beta1, beta2, eps, decay = (
        float(case.arrays[n]) for n in ("t", "lr", "beta1", "beta2", "eps", "weight_decay"))
    g = dw + decay * w
    e_g = C * u * (dw.abs() + (decay * w).abs())
    m1, v1 = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    e_m = C * u * (beta1 * m.abs() + (1 - beta1) * g.abs()) + (1 - beta1) * e_g
    e_v = C * u * v1 + 2 * (1 - beta2) * g.abs() * e_g
    root = (v1 / (1 - beta2**t)).sqrt()
    step = lr * m1 / (1 - beta1**t) / (root + eps)
    e_step = lr * e_m / (1 - beta1**t) / (root + eps) + step.abs() * (e_v / (2 * v1) + C * u)
    return {"m": (m1, e_m), "v": (v1, e_v), "w": (w - step, C * u * w.abs() + e_step)}


def adam_agrees_with_torch(case):
    """The formula above is torch.optim.Adam's, whose first step starts from m = v = 0."""
    w = leaf(case.tensor("w"))
    w.grad = case.tensor("dw")
    lr, beta1, beta2, eps, decay = (
        float(case.arrays[n]) for n in ("lr", "beta1", "beta2", "eps", "weight_decay"))
    torch.optim.Adam([w], lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=decay).step()
    first = Case({**case.arrays, "t": 1, "m": np.zeros(w.shape), "v": np.zeros(w.shape)})
    return torch.allclose(adam_step(first, 0.0, False)["w"][0], w.detach(), rtol=1e-12, atol=1e-14)


def cosine_lr(case, u, _):
    epoch, epochs, most, least = (float(case.arrays[n]) for n in ("epoch", "epochs", "lr_max", "lr_min"))
    value = least + (most - least) * (1 + np.cos(np.pi * epoch / epochs)) / 2
    return {"lr": (torch.tensor(value), torch.tensor(3 * C * u * (abs(most) + abs(least))))}


OPERATIONS = {"conv2d": conv2d, "pool": pool, "upsample": upsample, "relu": relu, "sigmoid": sigmoid, "swish": swish,
              "depthwise": depthwise, "squeeze_excite": squeeze_excite, "mbconv": mbconv, "batchnorm": batchnorm,
              "mix": mix, "linear": linear, "global_average": global_average, "cross_entropy": cross_entropy,
              "multires": multires, "sgd_step": sgd_step, "adam_step": adam_step, "cosine_lr": cosine_lr}
