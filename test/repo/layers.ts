// The import rules of src: which folder may import from which, and which folder owns each third-party dependency.
// The tests apply them to the sources and hold .oxlintrc.json to the same table.

/** Folders of src and what each may import from (besides itself). Lower layers know nothing of higher ones. */
export const LAYERS = {
  base: [],
  tensor: ['base'],
  linalg: ['base', 'tensor'],
  ir: ['base', 'tensor', 'linalg'],
  onnx: ['base', 'tensor', 'linalg', 'ir'],
  ops: ['base', 'tensor', 'linalg', 'ir'],
  analysis: ['base', 'tensor', 'linalg', 'ir', 'onnx', 'ops'],
  fit: ['base', 'tensor', 'linalg'],
  passes: ['base', 'tensor', 'linalg', 'ir', 'ops', 'analysis', 'fit'],
  runtime: ['base', 'tensor', 'linalg', 'fit'],
  data: ['base', 'tensor'],
  pipeline: ['base', 'tensor', 'linalg', 'ir', 'onnx', 'ops', 'analysis', 'passes', 'runtime', 'data', 'fit'],
  report: ['base', 'tensor', 'linalg', 'ir', 'onnx', 'ops', 'analysis', 'passes', 'runtime', 'data', 'fit', 'pipeline'],
  cli: [
    'base',
    'tensor',
    'linalg',
    'ir',
    'onnx',
    'ops',
    'analysis',
    'passes',
    'runtime',
    'data',
    'fit',
    'pipeline',
    'report',
  ],
} as const satisfies Record<string, readonly string[]>;

/** The one folder that imports each dependency. */
export const DEPENDENCY_HOME: Readonly<Record<string, string>> = {
  'onnx-proto': 'onnx',
  protobufjs: 'onnx',
  'onnxruntime-node': 'runtime',
  ndarray: 'tensor',
  sharp: 'data',
  commander: 'cli',
  chalk: 'cli',
  ora: 'cli',
};

export interface SourceFile {
  /** Path from the package folder with forward slashes, such as `src/ir/graph.ts`. */
  readonly path: string;
  readonly text: string;
}

const IMPORT = /(?:^|[\s;])(?:import|export)\s(?:[^'"`;()]*?\sfrom\s*)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g;

/** Module specifiers of every import, re-export and dynamic import. */
export function importsOf(text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? '');
}

/** Path of a relative specifier as seen from `path`: `src/ir/graph.js`. */
export function resolveImport(path: string, specifier: string): string {
  const parts = path.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const layerOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];
const allowedFrom = (layer: string): readonly string[] => (LAYERS as Record<string, readonly string[]>)[layer] ?? [];

function relativeViolation(path: string, layer: string, specifier: string): string | undefined {
  if (!specifier.endsWith('.js')) return `imports ${specifier} without .js`;
  const target = resolveImport(path, specifier);
  const targetLayer = layerOf(target);
  if (targetLayer === undefined) return `imports ${target}, which is in no folder of src`;
  return targetLayer === layer || allowedFrom(layer).includes(targetLayer)
    ? undefined
    : `${layer} imports ${targetLayer} (${specifier})`;
}

function packageViolation(layer: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return layer === 'passes' ? `passes import ${specifier}` : undefined;
  const dependency = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const home = DEPENDENCY_HOME[dependency];
  if (home === undefined) return `imports ${dependency}, which is not in the table of dependencies`;
  return home === layer ? undefined : `${layer} imports ${dependency}, which belongs to ${home}`;
}

/** Every import of a file of src that the table forbids, in words. src/index.ts, the library entry, may import from every folder. */
export function layerViolations({ path, text }: SourceFile): string[] {
  const layer = layerOf(path);
  if (layer === undefined) return path === 'src/index.ts' ? [] : [`${path}: only index.ts may lie in src itself`];
  if (!(layer in LAYERS)) return [`${path}: src/${layer} is not in the table of layers`];
  return importsOf(text)
    .map((specifier) =>
      specifier.startsWith('.') ? relativeViolation(path, layer, specifier) : packageViolation(layer, specifier),
    )
    .filter((violation) => violation !== undefined)
    .map((violation) => `${path}: ${violation}`);
}

const isPass = (file: SourceFile): boolean => file.path.startsWith('src/passes/') && /=\s*definePass\(/.test(file.text);

/** Imports from one pass to another, and a file with more than one pass. */
export function passViolations(files: readonly SourceFile[]): string[] {
  const passes = files.filter(isPass);
  const passPaths = new Set(passes.map((file) => file.path.replace(/\.ts$/, '.js')));
  return passes.flatMap((file) => {
    const imported = importsOf(file.text)
      .map((specifier) => resolveImport(file.path, specifier))
      .filter((target) => passPaths.has(target));
    const count = file.text.match(/=\s*definePass\(/g)?.length ?? 0;
    return [
      ...imported.map((target) => `${file.path}: imports another pass (${target})`),
      ...(count > 1 ? [`${file.path}: defines ${count} passes`] : []),
    ];
  });
}
