"""One row of the quick table, "Our Model" at 10 x 16, trained in PyTorch from its own random numbers: split,
first filters, order and augmentation are not the project's, the protocol is. Accuracies can then be set beside
those of build/train, seed for seed nothing alike, so that only their means and spreads compare.

Usage: torch_row.py FOLDER [--seeds 1 2 3] [--iterations N] [RESULT.tsv ...]. FOLDER has the binary files of
CIFAR-10; iterations end each epoch early and test 500 images, for a trial; results are those of runs of build/train to print
beside. Some minutes a seed. The exit status is 1 if a loss is not finite or the data is not there.
"""

import argparse
import math
import os
import sys
import time

import numpy as np
import torch
from torch_network import Network, Training, shapes

RECORD, IMAGES_A, IMAGES_B, TESTED = 3073, 10000, 2500, 10000
QUICK = {"layers": "10", "channels": "16", "levels": "5", "norm-eps": "1e-5", "norm-momentum": "0.1",
         "lr": "0.1", "lr-min": "0.001", "momentum": "0.9",
         "logits-beta1": "0.5", "logits-beta2": "0.999", "logits-eps": "1e-8", "logits-decay": "3e-4",
         "epochs": "5", "batch": "64"}


def read(folder, names):
    """Raw images (N,3,32,32) and labels (N) of files in CIFAR-10's binary layout."""
    rows = []
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.exists(path) or os.path.getsize(path) % RECORD != 0:
            sys.exit(f"torch_row: {path} is no file of CIFAR-10's binary version: name its folder, or fetch it by make data")
        rows.append(np.fromfile(path, np.uint8).reshape(-1, RECORD))
    rows = np.concatenate(rows)
    return rows[:, 1:].reshape(-1, 3, 32, 32), torch.tensor(rows[:, 0].astype(np.int64))


def augment(images, rng):
    """Padded by 4 with raw zeros, cropped at random, half of them flipped."""
    padded = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    result = np.empty_like(images)
    for i, (y, x, flip) in enumerate(rng.integers(0, (9, 9, 2), (len(images), 3))):
        crop = padded[i, :, y : y + 32, x : x + 32]
        result[i] = crop[:, :, ::-1] if flip else crop
    return result


def normaliser(images):
    """From raw images to a tensor, by the training set's mean and deviation of each channel."""
    counts = np.array([np.bincount(images[:, c].ravel(), minlength=256) for c in range(3)]) / images[:, 0].size
    level = np.arange(256) / 255
    mean = counts @ level
    deviation = np.sqrt(counts @ level**2 - mean**2)
    mean, deviation = mean.reshape(3, 1, 1), deviation.reshape(3, 1, 1)
    return lambda raw: torch.tensor((raw / 255.0 - mean) / deviation, dtype=torch.get_default_dtype())


def first_filters(options, generator):
    """He normal, by fan-in; biases 0."""
    parts = []
    for layer in shapes(options):
        for shape in layer.values():
            fan_in = math.prod(shape[1:])
            parts.append(torch.zeros(shape) if len(shape) == 1 else
                         torch.randn(shape, generator=generator) * math.sqrt(2 / fan_in))
    return torch.cat([part.reshape(-1) for part in parts])


def batches(rng, part, size):
    """Without end: passes over the images, each in an order of its own, partial batches dropped."""
    while True:
        order = rng.permutation(part)
        for at in range(0, len(order) - size + 1, size):
            yield order[at : at + size]


def accuracy(network, prepare, images, labels):
    correct = 0
    with torch.no_grad():
        for at in range(0, len(labels), 500):
            logits = network.class_logits(prepare(images[at : at + 500]), "inference")
            correct += int((logits.argmax(1) == labels[at : at + 500]).sum())
    return 100 * correct / len(labels)


def train(seed, data, most):
    (images, labels), (test_images, test_labels) = data
    options, size = dict(QUICK), int(QUICK["batch"])
    iterations, epochs = IMAGES_A // size, int(QUICK["epochs"])
    # The printed rate is of 83,200 iterations; a shorter run has it in proportion, at most 1e-2.
    options["logits-lr"] = str(min(1e-2, 1e-4 * 83200 / (iterations * epochs)))
    rng, prepare = np.random.default_rng(seed), normaliser(images)
    split = rng.permutation(len(images))
    a, b = split[:IMAGES_A], split[IMAGES_A : IMAGES_A + IMAGES_B]
    filters = first_filters(options, torch.Generator().manual_seed(seed))
    network = Network(options, filters, torch.zeros(int(options["layers"]) * int(options["levels"])))
    training, of_a, of_b = Training(network), batches(rng, a, size), batches(rng, b, size)
    for epoch in range(epochs):
        training.start_epoch(epoch)
        losses = []
        for _ in range(min(iterations, most)):
            i, j = next(of_a), next(of_b)
            losses.append(training.step(prepare(augment(images[i], rng)), labels[i], "filters"))
            other = training.step(prepare(images[j]), labels[j], "logits")
            if not (math.isfinite(losses[-1]) and math.isfinite(other)):
                sys.exit(f"torch_row: seed {seed}: a loss is not finite in epoch {epoch + 1}")
        print(f"    seed {seed}  epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.4f}", flush=True)
    tested = TESTED if most >= iterations else 500
    return accuracy(network, prepare, test_images[:tested], test_labels[:tested])


def of_result(path):
    with open(path, encoding="utf-8") as file:
        return float(dict(line.rstrip("\n").split("\t", 1) for line in file)["accuracy"])


def told(accuracies):
    words = ", ".join(f"{x:.2f}" for x in accuracies)
    spread = f" +- {np.std(accuracies, ddof=1):.2f}" if len(accuracies) > 1 else ""
    return f"{np.mean(accuracies):.2f}{spread} % on test ({words})" if len(accuracies) else "no run given"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("results", nargs="*")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--iterations", type=int, default=10**9)
    arguments = parser.parse_intermixed_args()
    torch.set_default_dtype(torch.float32)
    data = (read(arguments.folder, [f"data_batch_{i}.bin" for i in range(1, 6)]),
            read(arguments.folder, ["test_batch.bin"]))
    ours = [of_result(path) for path in arguments.results]
    since, accuracies = time.monotonic(), [train(seed, data, arguments.iterations) for seed in arguments.seeds]
    whole = "" if arguments.iterations >= IMAGES_A // int(QUICK["batch"]) else f", {arguments.iterations} iterations an epoch"
    print(f"Our Model, 10 x 16, quick{whole}, {(time.monotonic() - since) / 60:.1f} minutes")
    print(f"PyTorch     {told(accuracies)}")
    print(f"build/train {told(ours)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
