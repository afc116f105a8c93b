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

/** The range that holds `seq`. */
export function holding(ranges: readonly Range[], seq: number): Range | undefined {
  return ranges.find((range) => range.from <= seq && seq <= range.to);
}
