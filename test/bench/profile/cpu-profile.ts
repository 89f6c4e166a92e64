/** Reads what `node --cpu-prof` writes: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile. */

/** Where a frame's code is; lines count from 0. */
export interface CallFrame {
  readonly functionName: string;
  /** Of a file, of a module of Node (`node:…`), or empty: V8 itself, or native code. */
  readonly url: string;
  readonly lineNumber: number;
}

/** A profile as it is in its file; times are microseconds of the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function where it was called from, with the time spent in it and below it. */
export interface Frame {
  readonly call: CallFrame;
  selfMicros: number;
  totalMicros: number;
  /** By function, wherever in its file it was called. */
  readonly children: Map<string, Frame>;
}

/** A part of the monotonic clock's time, in microseconds. */
export interface Window {
  readonly fromMicros: number;
  readonly toMicros: number;
}

const idle = '(idle)';

/** One tree of all profiles' samples within the window, those in which nothing ran left out. */
export function frameTree(profiles: readonly CpuProfile[], window: Window): Frame {
  const root = newFrame({ functionName: 'all', url: '', lineNumber: -1 });
  for (const profile of profiles) {
    const stacks = stacksOf(profile);
    for (const [id, micros] of selfTimes(profile, window)) {
      const stack = stacks.get(id) ?? [];
      if (stack.at(-1)?.functionName !== idle) add(root, stack, micros);
    }
  }
  return root;
}

/** Time by node: a sample stands for the time until the next one. */
function selfTimes({ samples, timeDeltas, startTime }: CpuProfile, window: Window): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  let nowMicros = startTime;
  for (const [index, id] of samples.entries()) {
    nowMicros += timeDeltas[index] ?? 0;
    const lasted = Math.max(0, timeDeltas[index + 1] ?? 0);
    if (nowMicros < window.fromMicros || nowMicros > window.toMicros) continue;
    times.set(id, (times.get(id) ?? 0) + lasted);
  }
  return times;
}

/** The calls that lead to each node, without V8's root. */
function stacksOf({ nodes }: CpuProfile): ReadonlyMap<number, readonly CallFrame[]> {
  const stacks = new Map<number, readonly CallFrame[]>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const [root] = nodes;
  const open = root === undefined ? [] : [{ node: root, stack: [] as readonly CallFrame[] }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    stacks.set(entry.node.id, entry.stack);
    for (const id of entry.node.children ?? []) {
      const node = byId.get(id);
      if (node !== undefined) open.push({ node, stack: [...entry.stack, node.callFrame] });
    }
  }
  return stacks;
}

function add(root: Frame, stack: readonly CallFrame[], micros: number): void {
  root.totalMicros += micros;
  let frame = root;
  for (const call of stack) {
    const key = `${call.functionName} ${call.url}:${call.lineNumber}`;
    let child = frame.children.get(key);
    if (child === undefined) frame.children.set(key, (child = newFrame(call)));
    child.totalMicros += micros;
    frame = child;
  }
  frame.selfMicros += micros;
}

function newFrame(call: CallFrame): Frame {
  return { call, selfMicros: 0, totalMicros: 0, children: new Map() };
}
