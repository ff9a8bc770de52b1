// ONNX Runtime, and a folder for files, for the time of one piece of work: both are gone afterwards, however it ends.
import { InterruptError } from '../base/errors.js';
import { RuntimeHost } from '../runtime/host.js';
import type { RunRequest } from './run-request.js';
import { Workspace } from './workspace.js';

/**
 * Runs `work` with a host that is disposed of afterwards. What goes wrong once `signal` has fired is an interruption.
 * @throws InterruptError, and what `work` throws
 */
export async function withRuntime<T>(signal: AbortSignal, work: (host: RuntimeHost) => Promise<T>): Promise<T> {
  const host = new RuntimeHost();
  try {
    return await work(host);
  } catch (error) {
    throw signal.aborted && !(error instanceof InterruptError)
      ? new InterruptError('interrupted', { cause: error })
      : error;
  } finally {
    await host.dispose();
  }
}

/** As `withRuntime`, with a temporary folder besides. @throws as `withRuntime`; InputError not-writable */
export async function withRuntimeAndWorkspace<T>(
  signal: AbortSignal,
  work: (host: RuntimeHost, workspace: Workspace) => Promise<T>,
): Promise<T> {
  const workspace = await Workspace.create(undefined);
  try {
    return await withRuntime(signal, (host) => work(host, workspace));
  } finally {
    await workspace.dispose();
  }
}

/**
 * As `withRuntime`, with a folder beside the output besides. It stays for what `work` gives to be published from, and goes
 * where that fails. @throws as `withRuntime`; InputError not-writable
 */
export async function withRuntimeBeside<T>(
  { output, signal }: Pick<RunRequest, 'output' | 'signal'>,
  work: (host: RuntimeHost, workspace: Workspace) => Promise<T>,
): Promise<T> {
  const workspace = await Workspace.create(output);
  try {
    return await withRuntime(signal, (host) => work(host, workspace));
  } catch (error) {
    await workspace.dispose();
    throw error;
  }
}
