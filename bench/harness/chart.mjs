// Charts as SVG, by hand: bars with the spread of the runs, and lines. Each stands on a panel of its own,
// so that it can be read on any page, and follows the reader's light or dark preference.

const STYLE = `
    .panel { fill: #ffffff; stroke: #d0d7de; }
    text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
    .title { font-size: 16px; font-weight: 600; }
    .small { font-size: 11.5px; fill: #59636e; }
    .axis { stroke: #8c959f; }
    .grid { stroke: #d8dee4; }
    .ours { fill: #0969da; } .peer { fill: #bc4c00; } .driver { fill: #8250df; } .limit { fill: #6e7781; }
    .ours-line { stroke: #0969da; } .limit-line { stroke: #6e7781; }
    .client { fill: #54aeff; } .server { fill: #57606a; }
    .whisker { stroke: #1f2328; }
    @media (prefers-color-scheme: dark) {
        .panel { fill: #0d1117; stroke: #30363d; }
        text { fill: #e6edf3; }
        .small { fill: #9198a1; }
        .axis { stroke: #6e7681; }
        .grid { stroke: #262c36; }
        .ours { fill: #58a6ff; } .peer { fill: #f0883e; } .driver { fill: #bc8cff; } .limit { fill: #8b949e; }
        .ours-line { stroke: #58a6ff; } .limit-line { stroke: #8b949e; }
        .client { fill: #1f6feb; } .server { fill: #8b949e; }
        .whisker { stroke: #e6edf3; }
    }`;

const WIDTH = 760;
const LEFT = 210;
const RIGHT = 90;
const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function svg(height, title, about, inside) {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
        `viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}
</style>
<rect class="panel" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
<text class="title" x="20" y="30">${escaped(title)}</text>
<text class="small" x="20" y="49">${escaped(about)}</text>
${inside}
</svg>
`;
}

// 1, 2 or 5 times a power of ten, about five steps to `highest`.
function stepFor(highest) {
    const power = 10 ** Math.floor(Math.log10(highest / 5));
    return [1, 2, 5, 10].map((factor) => factor * power).find((step) => highest / step <= 6);
}

const number = (value) => Math.round(value).toLocaleString("en").replaceAll(",", " ");

function scaleOf(highest, top, bottom, unit) {
    const step = stepFor(highest);
    const x = (value) => LEFT + (value / (Math.ceil(highest / step) * step)) * (WIDTH - LEFT - RIGHT);
    let grid = "";
    for (let value = 0; value <= Math.ceil(highest / step) * step + step / 2; value += step)
        grid += `<line class="${value === 0 ? "axis" : "grid"}" x1="${x(value)}" y1="${top}" x2="${x(value)}" ` +
            `y2="${bottom}"/><text class="small" x="${x(value)}" y="${bottom + 16}" text-anchor="middle">` +
            `${number(value)}</text>\n`;
    grid += `<text class="small" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 34}" text-anchor="middle">` +
        `${escaped(unit)}</text>\n`;
    return { x, grid };
}

function legend(entries, y) {
    let x = 20;
    return entries.map(([kind, text]) => {
        const made = `<rect class="${kind}" x="${x}" y="${y - 10}" width="12" height="12" rx="2"/>` +
            `<text class="small" x="${x + 17}" y="${y}">${escaped(text)}</text>`;
        x += 34 + text.length * 6.4;
        return made;
    }).join("\n");
}

// Horizontal bars. bars: [{label, parts: [{kind, value}], low, high, text}]; low and high draw the spread,
// and a note stands below.
export function bars({ title, about, note = "", unit, bars: all, kinds }) {
    const top = 64;
    const bottom = top + all.length * 28;
    const highest = Math.max(...all.map(({ parts, high }) =>
        Math.max(high ?? 0, parts.reduce((sum, { value }) => sum + value, 0))));
    const { x, grid } = scaleOf(highest, top, bottom, unit);
    const drawn = all.map(({ label, parts, low, high, text }, i) => {
        const y = top + i * 28 + 5;
        let from = 0;
        let made = `<text x="${LEFT - 10}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>`;
        for (const { kind, value } of parts) {
            made += `<rect class="${kind}" x="${x(from)}" y="${y}" width="${Math.max(1, x(from + value) - x(from))}" ` +
                `height="18" rx="2"/>`;
            from += value;
        }
        if (low !== undefined)
            made += `<path class="whisker" d="M${x(low)} ${y + 9}H${x(high)}M${x(low)} ${y + 5}v8M${x(high)} ${y + 5}v8"/>`;
        return `${made}<text x="${x(Math.max(from, high ?? 0)) + 8}" y="${y + 13}">${escaped(text)}</text>`;
    }).join("\n");
    const below = note === "" ? "" : `\n<text class="small" x="20" y="${bottom + 80}">${escaped(note)}</text>`;
    return svg(bottom + (note === "" ? 70 : 92), title, about,
        `${grid}${drawn}\n${legend(kinds, bottom + 58)}${below}`);
}

// Lines over a logarithmic number of rows. lines: [{label, kind, points: [[rows, value]]}].
export function lines({ title, about, unit, across, lines: all, text }) {
    const [top, bottom, left] = [96, 290, 90];
    const values = all.flatMap(({ points }) => points);
    const rows = [...new Set(values.map(([row]) => row))].sort((a, b) => a - b);
    const highest = Math.max(...values.map(([, value]) => value));
    const step = stepFor(highest);
    const roof = Math.ceil(highest / step) * step;
    const span = Math.log10(rows.at(-1) / rows[0]) || 1;
    const x = (row) => left + 20 + (Math.log10(row / rows[0]) / span) * (WIDTH - left - 170);
    const y = (value) => bottom - (value / roof) * (bottom - top);
    let made = "";
    for (let value = 0; value <= roof + step / 2; value += step)
        made += `<line class="${value === 0 ? "axis" : "grid"}" x1="${left}" y1="${y(value)}" x2="${WIDTH - 130}" ` +
            `y2="${y(value)}"/><text class="small" x="${left - 8}" y="${y(value) + 4}" text-anchor="end">` +
            `${number(value)}</text>\n`;
    for (const row of rows)
        made += `<text class="small" x="${x(row)}" y="${bottom + 18}" text-anchor="middle">${number(row)}</text>\n`;
    made += `<text class="small" x="${(left + WIDTH - 130) / 2}" y="${bottom + 38}" text-anchor="middle">` +
        `${escaped(across)}</text><text class="small" x="20" y="76">${escaped(unit)}</text>\n`;
    // At each place the highest point has its number above, the others below; names keep their distance.
    const isHighest = (row, value) => values.every((other) => other[0] !== row || other[1] <= value);
    const ends = [...all].sort((a, b) => b.points.at(-1)[1] - a.points.at(-1)[1]);
    let free = 0;
    for (const { label, kind, points } of ends) {
        made += `<polyline class="${kind}-line" fill="none" stroke-width="2.5" points="` +
            `${points.map(([row, value]) => `${x(row)},${y(value)}`).join(" ")}"/>\n`;
        for (const [row, value] of points)
            made += `<circle class="${kind}" cx="${x(row)}" cy="${y(value)}" r="4"/><text class="small" ` +
                `x="${x(row)}" y="${y(value) + (isHighest(row, value) ? -9 : 18)}" text-anchor="middle">` +
                `${text(value)}</text>\n`;
        const [row, value] = points.at(-1);
        const place = Math.max(y(value) + 1, free);
        made += `<text x="${x(row) + 14}" y="${place}">${escaped(label)}</text>\n`;
        free = place + 16;
    }
    return svg(bottom + 54, title, about, made);
}
