/** Where the bytes of an object's payload are in the stored object. Pure arithmetic. */
import { floeHeaderBytes, floeSegmentOverheadBytes } from '../crypto/floe.ts';
import type { SegmentRange } from '../crypto/floe-stream.ts';
import { indexTailBytes, type ObjectIndex } from './object-index.ts';
import { partStoredSize, segmentCount, storedSize, type PlaintextOffset, type StoredOffset } from './sizes.ts';

/** One message of an object. */
export interface LayoutPart {
  /** 0 in the single layout. */
  readonly partNumber: number;
  readonly plaintextOffset: PlaintextOffset;
  readonly plaintextBytes: number;
  /** Where the message's header begins. */
  readonly storedOffset: StoredOffset;
  /** Header and segments. */
  readonly storedBytes: number;
  /** 8 bytes, all zero where it is not known; multipart only. */
  readonly attemptTag?: Uint8Array;
}

/** The segments of one part that a range needs. */
export interface PartSlice extends SegmentRange {
  readonly part: LayoutPart;
  /** Whether the part's header stands in front of the segments in the stored range. */
  readonly headerInline: boolean;
}

/** What to read for a range of the payload. Offsets are inclusive. */
export interface RangePlan {
  /** A part's header when the range begins in its first segment, else the border of a segment. */
  readonly storedFirst: StoredOffset;
  readonly storedLast: StoredOffset;
  readonly slices: readonly PartSlice[];
  /** Header of the first part (74 bytes), when it is not in the range; in the single layout the envelope has it. */
  readonly headerNeeded?: { readonly storedOffset: StoredOffset; readonly partNumber: number };
  /** Plaintext to drop in front. */
  readonly skipBytes: number;
  /** Plaintext to give after that. */
  readonly takeBytes: number;
}

/** A range of the payload; both ends inclusive. */
export interface PlaintextRange {
  readonly first: number;
  readonly last: number;
}

/** The messages of one object in order. */
export class ObjectLayout {
  readonly kind: 'single' | 'multipart';
  readonly segmentSizeBytes: number;
  readonly plaintextBytes: number;
  /** Length of the whole stored object. */
  readonly storedBytes: number;
  /** Length of all messages: where the index region begins. */
  readonly messagesBytes: number;
  readonly parts: readonly LayoutPart[];

  private constructor(kind: ObjectLayout['kind'], segmentSizeBytes: number, parts: readonly LayoutPart[]) {
    const last = parts.at(-1);
    if (last === undefined) throw new RangeError('a layout has at least one part');
    this.kind = kind;
    this.segmentSizeBytes = segmentSizeBytes;
    this.parts = parts;
    this.plaintextBytes = last.plaintextOffset + last.plaintextBytes;
    this.messagesBytes = last.storedOffset + last.storedBytes;
    this.storedBytes = storedSize(this.plaintextBytes);
  }

  /** Layout of an object that was put in one piece. */
  static single(object: { readonly plaintextBytes: number; readonly segmentSizeBytes: number }): ObjectLayout {
    const { plaintextBytes, segmentSizeBytes } = object;
    return new ObjectLayout('single', segmentSizeBytes, [
      {
        partNumber: 0,
        plaintextOffset: plaintextAt(0),
        plaintextBytes,
        storedOffset: storedAt(0),
        storedBytes: partStoredSize(plaintextBytes, segmentSizeBytes),
      },
    ]);
  }

  /** Layout of a multipart object by its index, which `openIndex` has checked. */
  static multipart(index: ObjectIndex, segmentSizeBytes: number): ObjectLayout {
    let plaintextOffset = 0;
    let storedOffset = 0;
    const parts = index.parts.map(({ partNumber, plaintextBytes, attemptTag }): LayoutPart => {
      const storedBytes = partStoredSize(plaintextBytes, segmentSizeBytes);
      const part = {
        partNumber,
        plaintextOffset: plaintextAt(plaintextOffset),
        plaintextBytes,
        storedOffset: storedAt(storedOffset),
        storedBytes,
        attemptTag,
      };
      plaintextOffset += plaintextBytes;
      storedOffset += storedBytes;
      return part;
    });
    return new ObjectLayout('multipart', segmentSizeBytes, parts);
  }

  /**
   * What to read for a range.
   * @throws RangeError unless 0 ≤ first ≤ last < `plaintextBytes`.
   */
  locate({ first, last }: PlaintextRange): RangePlan {
    const inside = Number.isInteger(first) && Number.isInteger(last) && first >= 0 && last < this.plaintextBytes;
    if (!inside || first > last) throw new RangeError('a range lies within the object');
    const slices: PartSlice[] = [];
    for (let position = this.#partAt(first); position < this.parts.length; position += 1) {
      const part = this.parts[position];
      if (part === undefined || part.plaintextOffset > last) break;
      slices.push(this.#slice(part, first - part.plaintextOffset, last - part.plaintextOffset));
    }
    return this.#plan(slices, first, last);
  }

  /** All messages in full; unlike `locate` also of an empty object, and with an empty last part. */
  whole(): RangePlan {
    const slices = this.parts.map((part) => this.#slice(part, 0, part.plaintextBytes - 1));
    return {
      storedFirst: storedAt(0),
      storedLast: storedAt(this.messagesBytes - 1),
      slices,
      skipBytes: 0,
      takeBytes: this.plaintextBytes,
    };
  }

  #plan(slices: readonly PartSlice[], first: number, last: number): RangePlan {
    const [head] = slices;
    const tail = slices.at(-1);
    if (head === undefined || tail === undefined) throw new RangeError('a range lies within the object');
    const { part, headerInline, firstSegment } = head;
    return {
      storedFirst: headerInline ? part.storedOffset : storedAt(this.#segmentOffset(part, firstSegment)),
      storedLast: storedAt(
        this.#segmentOffset(tail.part, tail.firstSegment + tail.segmentCount - 1) + tail.lastSegmentBytes - 1,
      ),
      slices,
      ...(headerInline || this.kind === 'single'
        ? {}
        : { headerNeeded: { storedOffset: part.storedOffset, partNumber: part.partNumber } }),
      skipBytes: first - part.plaintextOffset - firstSegment * this.segmentSizeBytes,
      takeBytes: last - first + 1,
    };
  }

  /** Segments of a part that plaintext from `first` to `last` touches; both count from the part's start and may lie outside. */
  #slice(part: LayoutPart, first: number, last: number): PartSlice {
    const segments = segmentCount(part.plaintextBytes, this.segmentSizeBytes);
    const firstSegment = Math.floor(Math.max(0, first) / this.segmentSizeBytes);
    const lastSegment = Math.max(0, Math.min(segments - 1, Math.floor(last / this.segmentSizeBytes)));
    const finalIncluded = lastSegment === segments - 1;
    const lastPlaintextBytes = finalIncluded
      ? part.plaintextBytes - lastSegment * this.segmentSizeBytes
      : this.segmentSizeBytes;
    return {
      part,
      headerInline: firstSegment === 0,
      firstSegment,
      segmentCount: lastSegment - firstSegment + 1,
      finalIncluded,
      lastSegmentBytes: lastPlaintextBytes + floeSegmentOverheadBytes,
    };
  }

  #segmentOffset(part: LayoutPart, segment: number): number {
    return part.storedOffset + floeHeaderBytes + segment * (this.segmentSizeBytes + floeSegmentOverheadBytes);
  }

  /** Position of the part that has the byte: the last one that does not begin behind it. */
  #partAt(offset: number): number {
    let low = 0;
    let high = this.parts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const part = this.parts[middle];
      if (part !== undefined && part.plaintextOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** A range as a client asks for it: `first-last`, `first-`, or the last `suffix` bytes. */
export type WantedRange = { readonly first: number; readonly last?: number } | { readonly suffix: number };

/**
 * The stored range to ask for before anything is known of the object: right for a single layout with this segment size.
 * The answer has to be compared with what `locate` says once the object is known. It may reach into the index region;
 * for a suffix it begins early, by enough for objects below 2.4 GiB with segments of 64 KiB.
 */
export function singleRangeGuess(guess: {
  readonly segmentSizeBytes: number;
  readonly range: WantedRange;
}): WantedRange {
  const { segmentSizeBytes, range } = guess;
  const encryptedBytes = segmentSizeBytes + floeSegmentOverheadBytes;
  if ('suffix' in range) {
    const segments = Math.ceil(range.suffix / segmentSizeBytes) + 1;
    return { suffix: segments * encryptedBytes + indexTailBytes };
  }
  const firstSegment = Math.floor(range.first / segmentSizeBytes);
  const first = firstSegment === 0 ? 0 : floeHeaderBytes + firstSegment * encryptedBytes;
  if (range.last === undefined) return { first };
  const afterLast = Math.floor(range.last / segmentSizeBytes) + 1;
  return { first, last: floeHeaderBytes + afterLast * encryptedBytes - 1 };
}

function plaintextAt(offset: number): PlaintextOffset {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where the brand is given
  return offset as PlaintextOffset;
}

function storedAt(offset: number): StoredOffset {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where the brand is given
  return offset as StoredOffset;
}
