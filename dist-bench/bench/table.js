import { spread } from './spread.js';
export function judge({ rows }) {
    const baseline = rows.find(({ role }) => role === 'baseline');
    return rows.map((row) => {
        const figures = spread(row.samples);
        // Round by round: what slows the machine down for a while slows both.
        const ratio = baseline && spread(row.samples.map((sample, i) => sample / baseline.samples[i])).median;
        const judged = { ...row, ...figures, ...(ratio === undefined ? {} : { ratio }) };
        if (!row.target)
            return judged;
        const { of, atLeast = -Infinity, atMost = Infinity } = row.target;
        const figure = of === 'ratio' ? (ratio ?? NaN) : figures.median;
        return { ...judged, held: figure >= atLeast && figure <= atMost };
    });
}
const roleNames = { limit: 'limit', baseline: '1×', peer: 'peer', runlet: 'Runlet' };
/** The table as text, one line per row. */
export function renderTable(table) {
    const lines = judge(table).map((row) => [
        roleNames[row.role],
        row.title,
        figureText(row.median),
        row.samples.length > 1 ? `${figureText(row.min)} to ${figureText(row.max)}` : '',
        row.ratio === undefined ? '' : `${ratioText(row.ratio)}×`,
        row.target ? targetText(row.target) : '',
        row.held === undefined ? '' : row.held ? 'held' : 'MISSED',
        row.note ?? '',
    ]);
    const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column].length))) ?? [];
    const numbers = new Set([2, 4]);
    const text = lines.map((line) => line
        .map((cell, i) => (numbers.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd());
    return [`${table.title}, ${table.unit}`, ...text.map((line) => `  ${line}`)].join('\n');
}
/** Three digits that count; more only in whole numbers. */
function figureText(value) {
    if (!Number.isFinite(value))
        return '-';
    const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    return value.toLocaleString('en', { maximumFractionDigits: digits });
}
const ratioText = (ratio) => ratio.toFixed(ratio < 10 ? 2 : 0);
function targetText({ of, atLeast, atMost }) {
    const unit = of === 'ratio' ? '×' : '';
    return atLeast === undefined ? `≤ ${figureText(atMost)}${unit}` : `≥ ${figureText(atLeast)}${unit}`;
}
