"""Writes resize-cases.json: small pictures scaled by Pillow (BILINEAR), rows first, with the bytes of the results.

The two calls in a row keep the order of Pillow before version 13, which may scale columns first.

    python generate_resize_cases.py > resize-cases.json
"""
import json

import numpy as np
from PIL import Image

SIZES = [(9, 7, 4, 3), (9, 7, 5, 9), (8, 8, 3, 8), (6, 10, 13, 4), (31, 17, 7, 6), (5, 4, 11, 9), (40, 3, 6, 2), (2, 2, 5, 5)]


def picture(height, width):
    """The same formula stands in resize.test.ts."""
    y, x, c = np.mgrid[:height, :width, :3]
    return ((x * 37 + y * 91 + c * 53 + x * y * 29) % 256).astype(np.uint8)


cases = []
for width, height, to_width, to_height in SIZES:
    source = Image.fromarray(picture(height, width))
    scaled = source.resize((to_width, height), Image.BILINEAR).resize((to_width, to_height), Image.BILINEAR)
    cases.append({'from': [height, width], 'to': [to_height, to_width], 'bytes': np.asarray(scaled).ravel().tolist()})
print('[\n' + ',\n'.join('  ' + json.dumps(case) for case in cases) + '\n]')
