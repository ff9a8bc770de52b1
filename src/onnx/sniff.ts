// What a file that is no ONNX model looks like, for the error message.

interface Format {
  readonly says: string;
  readonly fix?: string;
  readonly matches: (bytes: Buffer) => boolean;
}

const startsWith =
  (...prefixes: readonly string[]) =>
  (bytes: Buffer): boolean =>
    prefixes.some((prefix) => bytes.toString('latin1', 0, prefix.length) === prefix);
const identifiedAs =
  (identifier: string) =>
  (bytes: Buffer): boolean =>
    bytes.toString('latin1', 4, 8) === identifier;

/** The first that matches is named. */
const FORMATS: readonly Format[] = [
  { says: 'is empty', matches: (bytes) => bytes.length === 0 },
  {
    says: 'is a pointer of Git LFS, not the model itself',
    fix: 'run "git lfs pull"',
    matches: startsWith('version https://git-lfs'),
  },
  { says: 'is a TensorFlow Lite model', fix: 'convert it with tflite2onnx or tf2onnx', matches: identifiedAs('TFL3') },
  { says: 'is in the ORT format', fix: 'give the ONNX model it was made from', matches: identifiedAs('ORTM') },
  {
    says: 'is a zip archive (PyTorch and Keras save such)',
    fix: 'export the model to ONNX',
    matches: startsWith('PK\x03\x04'),
  },
  {
    says: 'is an HDF5 file (Keras saves such)',
    fix: 'export the model to ONNX with tf2onnx',
    matches: startsWith('\x89HDF'),
  },
  {
    says: 'is a Python pickle',
    fix: 'export the model to ONNX',
    matches: startsWith('\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'),
  },
  {
    says: 'is compressed',
    fix: 'unpack it first',
    matches: startsWith('\x1f\x8b', 'BZh', '\xfd7zXZ', '\x28\xb5\x2f\xfd'),
  },
  { says: 'is a NumPy file', matches: startsWith('\x93NUMPY') },
  {
    says: 'is ONNX in text form',
    fix: 'write it in the binary form with onnx.save',
    matches: (bytes) => /ir_version\s*:/.test(bytes.toString('latin1', 0, 400)) && isText(bytes),
  },
  {
    says: 'is a web page',
    fix: 'fetch the file itself',
    matches: (bytes) => /^\s*<(?:!doctype|html|head|\?xml)/i.test(bytes.toString('latin1', 0, 200)),
  },
  { says: 'is text', matches: (bytes) => isText(bytes) },
];

/** What `bytes` look like, as "is ...", and what to do; undefined when nothing known. */
export function sniff(bytes: Buffer): { readonly says: string; readonly fix?: string } | undefined {
  return FORMATS.find((format) => format.matches(bytes));
}

function isText(bytes: Buffer): boolean {
  const head = bytes.subarray(0, 512);
  return (
    head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) &&
    !head.toString('utf8', 0, head.length - 4).includes('\uFFFD')
  );
}
