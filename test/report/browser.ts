// Drives a headless Chromium over its debugging pipe (DevTools protocol, messages ended by NUL): no dependency needed.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--remote-debugging-pipe',
];

/** Path of a browser on PATH, if there is one. */
export function findBrowser(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}
type Reply = Record<string, unknown>;

export interface Page {
  /** Shows the address at this size, light or dark, and waits until it is loaded. */
  show(
    url: string,
    view: { readonly width: number; readonly height: number; readonly scheme: 'light' | 'dark' },
  ): Promise<void>;
  /** Value of a JavaScript expression in the page. */
  evaluate(expression: string): Promise<unknown>;
  /** PNG of this part of the page, in pixels. */
  screenshot(part: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  }): Promise<Buffer>;
  /** Everything that the console, the log and the network reported so far, in words. */
  readonly complaints: readonly string[];
}
export interface Browser {
  readonly page: Page;
  close(): Promise<void>;
}

class Pipe {
  readonly #waiting = new Map<number, { resolve(result: Reply): void; reject(error: Error): void }>();
  #id = 0;
  #rest = '';

  constructor(
    readonly output: Writable,
    input: Readable,
    readonly onEvent: (method: string, params: Reply) => void,
  ) {
    input.setEncoding('utf8');
    input.on('data', (text: string) => {
      const parts = (this.#rest + text).split('\0');
      this.#rest = parts.pop() ?? '';
      for (const part of parts) this.#receive(JSON.parse(part) as Message);
    });
  }

  #receive({ id, method, params, result, error }: Message): void {
    if (id === undefined) return this.onEvent(method ?? '', params ?? {});
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result ?? {});
  }

  send(method: string, params: Reply = {}, sessionId?: string): Promise<Reply> {
    this.#id += 1;
    const id = this.#id;
    this.output.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function start(path: string, profile: string): ChildProcess {
  return spawn(path, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
}

async function openPage(pipe: Pipe, listeners: Map<string, (params: Reply) => void>): Promise<Page> {
  const { targetId } = await pipe.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await pipe.send('Target.attachToTarget', { targetId, flatten: true });
  const call = (method: string, params: Reply = {}): Promise<Reply> => pipe.send(method, params, String(sessionId));
  const complaints: string[] = [];
  const complain =
    (method: string) =>
    (params: Reply): void => {
      complaints.push(`${method}: ${JSON.stringify(params)}`);
    };
  for (const method of [
    'Runtime.consoleAPICalled',
    'Runtime.exceptionThrown',
    'Log.entryAdded',
    'Audits.issueAdded',
    'Network.loadingFailed',
  ])
    listeners.set(method, complain(method));
  for (const domain of ['Page', 'Runtime', 'Log', 'Audits', 'Network']) await call(`${domain}.enable`);
  return {
    complaints,
    show: async (url, { width, height, scheme }) => {
      await call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      const loaded = new Promise<void>((resolve) => {
        listeners.set('Page.loadEventFired', () => resolve());
      });
      const { errorText } = await call('Page.navigate', { url });
      if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
      await loaded;
    },
    evaluate: async (expression) => {
      const { result, exceptionDetails } = await call('Runtime.evaluate', { expression, returnByValue: true });
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { readonly value?: unknown }).value;
    },
    screenshot: async (part) => {
      const { data } = await call('Page.captureScreenshot', {
        captureBeyondViewport: true,
        clip: { ...part, scale: 1 },
      });
      return Buffer.from(String(data), 'base64');
    },
  };
}

/** Starts the browser at `path` with a fresh profile and one page. */
export async function openBrowser(path: string): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'mcompress-browser-'));
  const child = start(path, profile);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  const listeners = new Map<string, (params: Reply) => void>();
  const pipe = new Pipe(child.stdio[3] as Writable, child.stdio[4] as Readable, (method, params) =>
    listeners.get(method)?.(params),
  );
  child.once('exit', (code) => pipe.fail(new Error(`the browser ended with status ${code}`)));
  child.once('error', (error) => pipe.fail(error));
  pipe.output.on('error', (error) => pipe.fail(error));
  const page = await openPage(pipe, listeners);
  return {
    page,
    close: async () => {
      await pipe.send('Browser.close').catch(() => child.kill());
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
