// The table with a counting port in place of the runtime: what is measured, kept, repeated and refused.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder, openLatencyTable, type TableOptions } from '../../src/runtime/latency-table.js';
import { describeMachine, machineFingerprint, type Machine } from '../../src/runtime/machine.js';

const root = mkdtempSync(join(tmpdir(), 'mcompress-test-'));
afterAll(() => rmSync(root, { recursive: true }));

const machine: Machine = {
  cpu: 'Test CPU',
  cores: 2,
  memory: 2 ** 30,
  os: 'linux 6.1',
  arch: 'x64',
  node: '20.19.0',
  onnxruntime: '1.30.0',
};
const build = (): Uint8Array => Uint8Array.of(1, 2, 3);
const conv = 'Conv 1x64x28x28 w64x64x3x3 s1 p1 g1 float32';

let folder: string;
let measured: string[];
let options: TableOptions;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'));
  measured = [];
  options = {
    machine,
    threads: 1,
    folder,
    measure: async (signature) => {
      measured.push(signature);
      return 123.456789 + measured.length;
    },
  };
});

describe('the cached table', () => {
  it('measures an entry once, also when asked twice at the same time', async () => {
    const table = openLatencyTable(options);
    expect(table.lookup(conv)).toBeUndefined();
    expect(await Promise.all([table.measure(conv, build), table.measure(conv, build)])).toEqual([124.46, 124.46]);
    expect(await table.measure(conv, build)).toBe(124.46);
    expect(table.lookup(conv)).toBe(124.46);
    expect(measured).toEqual([conv]);
  });

  it('is there again in the next run, with the same figures', async () => {
    const table = openLatencyTable(options);
    const us = await table.measure(conv, build);
    table.save();
    const next = openLatencyTable(options);
    expect(next.origin).toBe('own');
    expect(await next.measure(conv, build)).toBe(us);
    expect(measured).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([`latency-${machineFingerprint(machine)}-1.30.0-1.json`]);
  });

  it('is another one for another machine, runtime or number of threads', async () => {
    const table = openLatencyTable(options);
    await table.measure(conv, build);
    table.save();
    for (const other of [
      { machine: { ...machine, cpu: 'Other' } },
      { machine: { ...machine, onnxruntime: '1.31.0' } },
      { threads: 2 },
    ]) {
      expect(openLatencyTable({ ...options, ...other }).lookup(conv)).toBeUndefined();
    }
    expect(
      openLatencyTable({ ...options, machine: { ...machine, node: '22.0.0', memory: 1, os: 'linux 6.9' } }).lookup(
        conv,
      ),
    ).toBe(124.46);
  });

  it('is begun anew when it is damaged', async () => {
    const table = openLatencyTable(options);
    await table.measure(conv, build);
    table.save();
    const [file = ''] = readdirSync(folder);
    writeFileSync(join(folder, file), '{"schema":');
    expect(openLatencyTable(options).size).toBe(0);
  });

  it('is not written when nothing was measured', () => {
    openLatencyTable(options).save();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('measures again after a measurement failed', async () => {
    let fail = true;
    const table = openLatencyTable({
      ...options,
      measure: async () => {
        if (fail) throw new Error('no');
        return 7;
      },
    });
    await expect(table.measure(conv, build)).rejects.toThrow('no');
    fail = false;
    expect(await table.measure(conv, build)).toBe(7);
  });
});

describe('a table in a file', () => {
  const write = (name: string, change: Record<string, unknown> = {}): string => {
    const file = join(folder, name);
    const table = {
      schema: 'mcompress-latency-table',
      version: 1,
      cpu: 'Test CPU',
      fingerprint: machineFingerprint(machine),
      runtime: '1.30.0',
      threads: 1,
      microseconds: { [conv]: 55.5 },
    };
    writeFileSync(file, JSON.stringify({ ...table, ...change }));
    return file;
  };

  it('is created, read again and extended', async () => {
    const file = join(folder, 'sub/table.json');
    const table = openLatencyTable({ ...options, file });
    await table.measure(conv, build);
    table.save();
    const next = openLatencyTable({ ...options, file });
    await next.measure('Relu 1x8 float32', build);
    next.save();
    const stored = JSON.parse(readFileSync(file, 'utf8')) as { microseconds: Record<string, number> };
    expect(stored.microseconds).toEqual({ [conv]: 124.46, 'Relu 1x8 float32': 125.46 });
  });

  it('of another machine is used as it is, never extended or overwritten', async () => {
    const file = write('foreign.json', { cpu: 'Phone', fingerprint: 'ffff' });
    const table = openLatencyTable({ ...options, file });
    expect(table).toMatchObject({ origin: 'foreign', identity: { cpu: 'Phone' } });
    expect(await table.measure(conv, build)).toBe(55.5);
    expect(await table.measure('Relu 1x8 float32', build)).toBeUndefined();
    const before = readFileSync(file, 'utf8');
    table.save();
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(measured).toEqual([]);
  });

  it('is exported the same from the same entries', async () => {
    const table = openLatencyTable({ ...options, file: write('a.json', { microseconds: { b: 1, a: 2 } }) });
    table.exportTo(join(folder, 'one.json'));
    openLatencyTable({ ...options, file: write('b.json', { microseconds: { a: 2, b: 1 } }) }).exportTo(
      join(folder, 'two.json'),
    );
    expect(readFileSync(join(folder, 'one.json'), 'utf8')).toBe(readFileSync(join(folder, 'two.json'), 'utf8'));
  });

  it.each<[string, Record<string, unknown>]>([
    ['schema', { schema: 'other' }],
    ['version', { version: 2 }],
    ['text', { runtime: 3 }],
    ['threads', { threads: 0 }],
    ['object', { microseconds: [1] }],
    ['positive', { microseconds: { [conv]: -1 } }],
    ['positive', { microseconds: { [conv]: '5' } }],
  ])('with a wrong %s is declined', (why, change) => {
    const file = write('wrong.json', change);
    expect(() => openLatencyTable({ ...options, file })).toThrow(new RegExp(why));
  });

  it('that is no JSON or a folder is declined with a code', () => {
    writeFileSync(join(folder, 'text.json'), 'hello');
    expect(() => openLatencyTable({ ...options, file: join(folder, 'text.json') })).toThrow(
      expect.objectContaining({ code: 'bad-report' }),
    );
    expect(() => openLatencyTable({ ...options, file: folder })).toThrow(
      expect.objectContaining({ code: 'not-readable' }),
    );
  });

  it('that cannot be written is an error, and leaves no draft', async () => {
    writeFileSync(join(folder, 'taken'), '');
    const table = openLatencyTable({ ...options, file: join(folder, 'taken.json') });
    expect(() => table.exportTo(join(folder, 'taken', 'table.json'))).toThrow(
      expect.objectContaining({ code: 'not-writable' }),
    );
    expect(readdirSync(folder)).toEqual(['taken']);
  });
});

describe('machine and cache folder', () => {
  it('follows XDG_CACHE_HOME', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/caches' })).toBe(join('/caches', 'mcompress'));
    expect(cacheFolder({})).toBe(join(homedir(), '.cache', 'mcompress'));
  });

  it('describes the machine without names of persons, hosts or folders', () => {
    const found = describeMachine();
    expect(found.onnxruntime).toMatch(/^\d+\.\d+\.\d+/);
    expect(found.cores).toBeGreaterThan(0);
    expect(existsSync(found.cpu)).toBe(false);
    expect(JSON.stringify(found)).not.toContain(homedir());
    expect(machineFingerprint(found)).toMatch(/^[0-9a-f]{16}$/);
  });
});
