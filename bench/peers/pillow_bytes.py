"""Prints NAME SHA-256 of the pixels that Pillow and torchvision's rules make of every JPEG of a folder.

    python pillow_bytes.py FOLDER SHORT CROP

Short side to SHORT (bilinear), the middle CROP x CROP, RGB bytes. Rows are scaled first, as Pillow before version 13 does.
"""
import hashlib
import sys
from pathlib import Path

from PIL import Image


def scaled(image, short):
    width, height = image.size
    if min(width, height) == short:
        return image
    size = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
    return image.resize((size[0], height), Image.BILINEAR).resize(size, Image.BILINEAR)


def cropped(image, side):
    left, top = (int(round((have - side) / 2.0)) for have in image.size)
    return image.crop((left, top, left + side, top + side))


folder, short, crop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for path in sorted(folder.glob('*.jpg')):
    pixels = cropped(scaled(Image.open(path).convert('RGB'), short), crop).tobytes()
    print(path.name, hashlib.sha256(pixels).hexdigest())
