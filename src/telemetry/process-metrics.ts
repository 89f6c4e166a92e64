import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { FlowBudget } from '../base/flow-budget.ts';
import { metricCatalogue } from './metric-catalogue.ts';
import type { MetricsRegistry } from './metrics.ts';

const nanosecondsPerSecond = 1e9;

function countOpenFiles(): number | undefined {
  try {
    // The listing itself holds one descriptor.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

/**
 * Registers what the process says of itself; read at each scrape. Stops measuring the event loop on dispose.
 * @param budget what bodies hold.
 */
export function registerProcessMetrics(registry: MetricsRegistry, budget: Pick<FlowBudget, 'heldBytes'>): Disposable {
  const cpu = registry.counter(metricCatalogue.processCpu);
  const memory = registry.gauge(metricCatalogue.processMemory);
  const held = registry.gauge(metricCatalogue.heldBytes);
  const files = registry.gauge(metricCatalogue.processFiles);
  const start = registry.gauge(metricCatalogue.processStart);
  const lag = registry.gauge(metricCatalogue.eventLoopLag);
  start.set({}, Math.round(Date.now() / 1000 - process.uptime()));
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let countedCpuSeconds = 0;
  registry.beforeCollect(() => {
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    cpu.add({}, Math.max(0, cpuSeconds - countedCpuSeconds));
    countedCpuSeconds = cpuSeconds;
    memory.set({}, process.memoryUsage.rss());
    held.set({}, budget.heldBytes);
    const openFiles = countOpenFiles();
    if (openFiles !== undefined) files.set({}, openFiles);
    lag.set({ quantile: '0.5' }, delay.percentile(50) / nanosecondsPerSecond);
    lag.set({ quantile: '0.99' }, delay.percentile(99) / nanosecondsPerSecond);
    lag.set({ quantile: '1' }, delay.max / nanosecondsPerSecond);
    delay.reset();
  });
  return { [Symbol.dispose]: () => void delay.disable() };
}
