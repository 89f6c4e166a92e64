/** The demo from beginning to end. */
import type { Site } from './site.ts';
import { bringBack, end, lookAtLogs, refuseStale } from './steps-afterwards.ts';
import { lookAtAudit } from './steps-audit.ts';
import { startGateway, startKeyServices } from './steps-beginning.ts';
import { lookAtStored, writeObjects } from './steps-objects.ts';
import { readOldAndNew, retire, rewrap, rotate } from './steps-rotation.ts';

/** Tells the whole story. @throws ClaimFailed where something is not as it says. */
export async function tell(site: Site): Promise<void> {
  const services = await startKeyServices(site);
  await startGateway(site, services);
  await writeObjects(site);
  const backup = await lookAtStored(site, services);
  const secondKmsKey = await rotate(site);
  await readOldAndNew(site, secondKmsKey);
  await rewrap(site, backup, secondKmsKey);
  await retire(site, services);
  await refuseStale(site, services, backup);
  await bringBack(site, services, backup);
  await lookAtLogs(site, services);
  await lookAtAudit(site, services);
  await end(site);
}
