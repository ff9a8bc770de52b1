// Pictures from files, with sharp (libvips). Decoded JPEGs equal Pillow's byte by byte. Like Pillow's, they keep the stored
// orientation, and lose transparency.
import type sharpModule from 'sharp';
import { UsageError } from '../base/errors.js';
import { badData, type Picture } from './source.js';

export type Sharp = typeof sharpModule;

/** Ends of file names that are taken for pictures. */
export const IMAGE_ENDINGS = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];

/** True for a name that ends like a picture. */
export function isImageName(name: string): boolean {
  const lower = name.toLowerCase();
  return IMAGE_ENDINGS.some((ending) => lower.endsWith(ending));
}

/**
 * The decoder, loaded when the first picture is read.
 * @throws UsageError not-available when sharp is not installed
 */
export async function loadSharp(load: () => Promise<{ default: Sharp }> = () => import('sharp')): Promise<Sharp> {
  try {
    const { default: sharp } = await load();
    // One thread per picture, and no cache: several pictures are decoded side by side, each of them once.
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  } catch (cause) {
    throw new UsageError('not-available', 'reading pictures needs the package sharp, which is not installed', {
      cause,
      fix: 'npm install sharp',
    });
  }
}

/**
 * The picture in `bytes` as 8-bit RGB. `file` names it in messages.
 * @throws InputError bad-data for a damaged picture
 */
export async function decodeImage(sharp: Sharp, bytes: Uint8Array, file: string): Promise<Picture> {
  try {
    const { data, info } = await sharp(bytes, { failOn: 'error' })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { data, height: info.height, width: info.width, channels: info.channels, layout: 'hwc' };
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw badData(file, `the picture cannot be decoded: ${reason}`, { cause });
  }
}
