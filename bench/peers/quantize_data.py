"""Prepares labelled images and calibration splits for the quantization benches, once for all tools.

    python bench/peers/quantize_data.py FOLDER SPECIFICATION

The specification is a JSON object:
    source: imagenet (images/imagenet-1000 of the assets) or cifar10 (a folder of the six binary batches)
    path:   that folder
    input:  the name of the model's input
    order:  rgb or bgr
    layout: nchw or nhwc
    divide, mean, deviation: x / divide, then minus mean, over deviation; per channel in the order of the tensor
    splits: how many; calibration: images to calibrate with in each
    labels: false leaves them out of what calibrates; classes: only images of these

Writes into FOLDER: images.npy (float32, ready for the model) and labels.npy (int64) of what is scored, splits.json, and
per split calibration-N.npz with the arrays INPUT and labels. ImageNet: a split calibrates on some of the images and
scores the others. CIFAR-10: it calibrates on training images and scores the whole test set.
"""

import json
import os
import random
import sys

import numpy as np

SIDE, CROP = 256, 224


def imagenet_pixels(file):
    """Short side to 256 (bilinear), centre crop 224; channel last, RGB."""
    from PIL import Image

    with Image.open(file) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    short = min(width, height)
    if short != SIDE:
        image = image.resize(
            (SIDE * width // short, SIDE * height // short), Image.BILINEAR
        )
    width, height = image.size
    left, top = round((width - CROP) / 2), round((height - CROP) / 2)
    return np.asarray(image.crop((left, top, left + CROP, top + CROP)))


def cifar_batch(file):
    """Records of a label byte and 1024 red, green and blue bytes each; channel last."""
    records = np.fromfile(file, dtype=np.uint8).reshape(-1, 3073)
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return pixels, records[:, 0].astype(np.int64)


def prepare(pixels, specification):
    """Channel-last RGB bytes to what the model takes."""
    values = pixels.astype(np.float32)
    if specification["order"] == "bgr":
        values = values[..., ::-1]
    values = values / np.float32(specification["divide"])
    values = (values - np.float32(specification["mean"])) / np.float32(
        specification["deviation"]
    )
    if specification["layout"] == "nchw":
        values = np.moveaxis(values, -1, -3)
    return np.ascontiguousarray(values, dtype=np.float32)


def wanted(specification, labels):
    """Positions of the images that take part."""
    classes = specification.get("classes")
    return [
        row for row, label in enumerate(labels) if classes is None or label in classes
    ]


def draw(specification, split, population):
    """Sorted positions; text seeds and `sample` give the same numbers on every version of Python 3."""
    generator = random.Random(f"{specification['source']} split {split}")
    return sorted(generator.sample(population, specification["calibration"]))


def write_images(folder, count, images):
    """Streams the prepared images into images.npy."""
    target = None
    for position, image in enumerate(images):
        if target is None:
            path = os.path.join(folder, "images.npy")
            target = np.lib.format.open_memmap(
                path, mode="w+", dtype=np.float32, shape=(count, *image.shape)
            )
        target[position] = image
    target.flush()


def write_split(folder, split, specification, images, labels):
    path = os.path.join(folder, f"calibration-{split}.npz")
    known = {"labels": labels} if specification.get("labels", True) else {}
    np.savez(path, **{specification["input"]: images}, **known)


def imagenet(folder, specification):
    files = sorted(
        name for name in os.listdir(specification["path"]) if name.endswith(".jpg")
    )
    labels = np.array([int(name.split("_")[0]) for name in files], dtype=np.int64)
    paths = [os.path.join(specification["path"], name) for name in files]
    write_images(
        folder,
        len(files),
        (prepare(imagenet_pixels(path), specification) for path in paths),
    )
    np.save(os.path.join(folder, "labels.npy"), labels)
    images = np.load(os.path.join(folder, "images.npy"), mmap_mode="r")
    population = wanted(specification, labels)
    splits = []
    for split in range(specification["splits"]):
        calibration = draw(specification, split, population)
        write_split(
            folder, split, specification, images[calibration], labels[calibration]
        )
        chosen = set(calibration)
        scored = [row for row in population if row not in chosen]
        splits.append(
            {"calibration": calibration, "from": "images.npy", "scored": scored}
        )
    return splits


def cifar10(folder, specification):
    def batch(name):
        return cifar_batch(os.path.join(specification["path"], name))

    pixels, labels = batch("test_batch.bin")
    write_images(
        folder, len(labels), (prepare(image, specification) for image in pixels)
    )
    np.save(os.path.join(folder, "labels.npy"), labels)
    batches = [batch(f"data_batch_{number}.bin") for number in range(1, 6)]
    train_pixels, train_labels = (np.concatenate(parts) for parts in zip(*batches))
    population = wanted(specification, train_labels)
    scored = wanted(specification, labels)
    splits = []
    for split in range(specification["splits"]):
        calibration = draw(specification, split, population)
        images = prepare(train_pixels[calibration], specification)
        write_split(folder, split, specification, images, train_labels[calibration])
        splits.append(
            {
                "calibration": calibration,
                "from": "training batches 1 to 5",
                "scored": scored,
            }
        )
    return splits


def main(folder, text):
    specification = json.loads(text)
    os.makedirs(folder, exist_ok=True)
    source = {"imagenet": imagenet, "cifar10": cifar10}[specification["source"]]
    splits = source(folder, specification)
    with open(os.path.join(folder, "splits.json"), "w", encoding="utf8") as file:
        json.dump({"specification": specification, "splits": splits}, file)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
