import { LocalKeyring } from '../../../../src/keys/local/local-keyring.ts';

/*
 * A process of its own for `local-keyring.test.ts`: opens the keyring (making it where it is not there yet), adds so many
 * versions to it, and prints which they are, as a JSON list. Arguments: file, count.
 */
const [file = '', count = '0'] = process.argv.slice(2);
const keyring = await LocalKeyring.open({ name: 'local', file, create: true });
const versions: string[] = [];
while (versions.length < Number(count)) versions.push(await keyring.rotate());
console.log(JSON.stringify(versions));
