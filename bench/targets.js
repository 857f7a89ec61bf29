// Targets, judged by the rows of one run: each is `{ text, isMet }`.

/** A figure of one peer in relation to another's, at least. */
export function ratio(label, rows, figure, peer, other, least) {
  const value = valueOf(rows, figure, peer) / valueOf(rows, figure, other);
  return judged(`${label} ÷ ${other.name}'s`, value, value >= least, `≥ ${least}`);
}

export function ratioAtMost(label, rows, figure, peer, other, most) {
  const value = valueOf(rows, figure, peer) / valueOf(rows, figure, other);
  return judged(`${label} ÷ ${other.name}'s`, value, value <= most, `≤ ${most}`);
}

export function atLeast(label, rows, figure, peer, least) {
  const value = valueOf(rows, figure, peer);
  return judged(label, value, value >= least, `≥ ${least.toLocaleString('en')}`);
}

export function atMost(label, rows, figure, peer, most) {
  const value = valueOf(rows, figure, peer);
  return judged(label, value, value <= most, `≤ ${most.toLocaleString('en')}`);
}

/** The largest of a figure over all rows, at most. */
export function worstAtMost(label, rows, figure, most) {
  const value = Math.max(...rows.map((row) => row[figure]));
  return judged(label, value, value <= most, `≤ ${most}`);
}

/** The largest of a figure over all rows, in relation to the first row's. */
export function growthAtMost(label, rows, figure, most) {
  const value = Math.max(...rows.map((row) => row[figure])) / rows[0][figure];
  return judged(label, value, value <= most, `≤ ${most} ×`);
}

/** A peer that was left out of the run leaves NaN, which meets nothing. */
function valueOf(rows, figure, { name }) {
  return rows.find(({ peer }) => peer === name)?.[figure] ?? NaN;
}

function judged(label, value, isMet, bound) {
  if (Number.isNaN(value)) return { text: `${label}: not measured`, isMet: false };
  const shown = value >= 1_000 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
  return { text: `${label} ${shown} (${bound}) ${isMet ? '✓' : '✗'}`, isMet };
}
