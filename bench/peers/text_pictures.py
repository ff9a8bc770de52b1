"""Pictures with lines of text for a text detector: text_pictures.py OUT.npy COUNT PHOTO_FOLDER
Half of them on plain paper, half on photographs; sizes, places, words and colours are seeded. ImageNet mean and deviation, NCHW."""

import glob
import random
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HEIGHT, WIDTH, LINE = 320, 480, 34
WORDS = (
    "compression toolchain measured filters channel groups stream rounding kernel budget sample report latency faster "
    "smaller exact invoice total amount street number open closed sale coffee market station platform exit"
).split()
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def draw(index, photos):
    if index % 2:
        picture = Image.open(photos[(index * 37) % len(photos)]).convert("RGB").resize((WIDTH, HEIGHT))
    else:
        picture = Image.new("RGB", (WIDTH, HEIGHT), tuple(random.randint(200, 255) for _ in range(3)))
    pen = ImageDraw.Draw(picture)
    for line in range(random.randint(4, 9)):
        font = ImageFont.load_default(size=random.choice([14, 18, 24, 32, 40]))
        text = " ".join(random.choice(WORDS) for _ in range(random.randint(1, 4)))
        dark = tuple(random.randint(0, 80) for _ in range(3))
        colour = random.choice([(0, 0, 0), (255, 255, 255), (255, 255, 0)]) if index % 2 else dark
        pen.text((random.randint(5, 200), 8 + line * LINE), text, font=font, fill=colour)
    return ((np.asarray(picture, dtype=np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)


out, count, folder = sys.argv[1:]
random.seed(1)
photos = sorted(glob.glob(f"{folder}/*.jpg"))
np.save(out, np.stack([draw(index, photos) for index in range(int(count))]).astype(np.float32))
