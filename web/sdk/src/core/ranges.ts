/** Which seqs of a conversation are known completely: a short ascending list of ranges that never touch each other. */

/** Seqs from..=to. */
export interface Range {
  from: number;
  to: number;
}

/** Adds `from..=to`, joining what overlaps or is adjacent. An empty or zero range adds nothing. */
export function insert(ranges: Range[], from: number, to: number): void {
  if (from <= 0 || from > to) return;
  let start = 0;
  while (start < ranges.length && ranges[start]!.to + 1 < from) start++;
  let end = start;
  while (end < ranges.length && ranges[end]!.from <= to + 1) {
    from = Math.min(from, ranges[end]!.from);
    to = Math.max(to, ranges[end]!.to);
    end++;
  }
  ranges.splice(start, end - start, { from, to });
}

/** What lies between `seqs`, which ascend, in `from..=to`. An empty or zero range has nothing. */
export function gaps(from: number, to: number, seqs: readonly number[]): Range[] {
  const found: Range[] = [];
  if (from <= 0) return found;
  for (const seq of [...seqs, to + 1]) {
    const end = Math.min(seq - 1, to);
    if (from <= end) found.push({ from, to: end });
    from = Math.max(from, seq + 1);
  }
  return found;
}

/** The range that holds `seq`. */
export function holding(ranges: readonly Range[], seq: number): Range | undefined {
  return ranges.find((range) => range.from <= seq && seq <= range.to);
}
