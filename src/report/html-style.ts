// Colours and rules of the HTML report. Both palettes hold WCAG AA (4.5 for text, 3 for bars); a test works it out.

export interface Palette {
  readonly page: string;
  readonly card: string;
  readonly line: string;
  readonly text: string;
  readonly quiet: string;
  readonly accent: string;
  readonly good: string;
  readonly bad: string;
  readonly warn: string;
  /** Bars: before, after, and the three kinds of layers. */
  readonly before: string;
  readonly after: string;
  readonly tensor: string;
  readonly nonTensor: string;
  readonly runtime: string;
  readonly track: string;
}

export const PALETTES: { readonly light: Palette; readonly dark: Palette } = {
  light: {
    page: '#f6f7f9',
    card: '#ffffff',
    line: '#dde2e8',
    text: '#18202a',
    quiet: '#576373',
    accent: '#0b6e75',
    good: '#0f7040',
    bad: '#b3261e',
    warn: '#8a5300',
    before: '#7c8998',
    after: '#0d8a8f',
    tensor: '#2f6fb7',
    nonTensor: '#c96f12',
    runtime: '#8a6fb0',
    track: '#e9edf1',
  },
  dark: {
    page: '#10151b',
    card: '#181f27',
    line: '#2d3743',
    text: '#e5eaf0',
    quiet: '#9dabba',
    accent: '#4fc3c7',
    good: '#5cc98b',
    bad: '#ff8a80',
    warn: '#f0b357',
    before: '#738295',
    after: '#35b3b6',
    tensor: '#5b9be0',
    nonTensor: '#e08a34',
    runtime: '#a58bd0',
    track: '#242d37',
  },
};

/** CSS names of the colours: `nonTensor` is `--non-tensor`. */
const variables = (palette: Palette): string =>
  Object.entries(palette)
    .map(([key, colour]) => `--${key.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}:${String(colour)}`)
    .join(';');

const RULES = `
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);overflow-wrap:break-word;
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 24px 24px}
h1{font-size:26px;line-height:1.25;margin:0 0 20px;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:18px;margin:0 0 -8px;font-weight:650}
h3,figcaption,caption{font-size:13px;font-weight:600;color:var(--quiet);text-align:left;margin:0;padding:0 0 8px}
.kicker{margin:0 0 4px;font-size:13px;font-weight:600;color:var(--accent);letter-spacing:.02em}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:22px 24px;margin:16px 0;
display:grid;grid-template-columns:minmax(0,1fr);gap:22px}
p{margin:0}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
p.warn,p.bad,p.good{padding:8px 12px;border-left:3px solid;border-radius:2px;background:var(--card);overflow-wrap:anywhere}
p.warn+p.warn{margin-top:8px}
section>p.warn+p.warn{margin-top:-14px}
main>p.warn,main>p.bad,main>p.good{margin:12px 0}
.answers{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:12px;margin:0 0 16px;padding:0}
.answers>div:only-child{grid-column:1/-1}
.answers>div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px}
.answers dt{font-size:13px;color:var(--quiet);font-weight:600}
.answers dd{margin:0;overflow-wrap:anywhere}
.answers .value{font-size:25px;line-height:1.2;font-weight:680;margin:4px 0 8px;letter-spacing:-.015em}
.answers .detail{font-size:13px;color:var(--quiet)}
.scroll{overflow-x:auto;position:relative}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:6px 16px 6px 0;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
th:last-child,td:last-child{padding-right:0}
thead td{border-top:0}
thead th{font-size:12.5px;color:var(--quiet);font-weight:600;border-top:0;white-space:nowrap}
tbody th{font-weight:500}
.r{text-align:right;white-space:nowrap}
td.drop{color:var(--quiet)}
code,pre,.name{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;font-size:.88em}
@media(min-width:601px){.name.short{white-space:nowrap}}
pre{margin:0;padding:12px 14px;background:var(--page);border:1px solid var(--line);border-radius:6px;
overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
details{border-top:1px solid var(--line);padding-top:10px}
summary{cursor:pointer;font-size:14px;font-weight:600;color:var(--accent);padding:2px 0}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
details[open]>summary{margin-bottom:10px}
figure{margin:0}
svg{display:block;width:100%;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;fill:var(--quiet);
paint-order:stroke;stroke:var(--card);stroke-width:5px;stroke-linejoin:round}
.change svg{width:72px;margin:3px 0 1px auto}
.bars,.stacks{list-style:none;margin:0;padding:0}
.bars li{display:grid;grid-template-columns:minmax(0,390px) minmax(0,1fr) 150px;gap:0 16px;align-items:center;padding:4px 0}
.bars .label{display:flex;align-items:baseline;white-space:nowrap;min-width:0}
.bars .head{overflow:hidden;text-overflow:ellipsis;min-width:0}
.bars .tail{flex:none}
.bars small{flex:none;color:var(--quiet);margin-left:8px;font-size:12px}
.bars .figure{font-size:13px;text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.stacks li{padding:7px 0}
.stacks .label{display:flex;justify-content:space-between;gap:12px;font-size:14px;padding-bottom:3px}
.stacks .parts{font-size:13px;color:var(--quiet);padding-top:3px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--quiet);padding-bottom:10px;margin:0}
.legend i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:6px;vertical-align:-1px}
.s-before{fill:var(--before);background:var(--before)}.s-after{fill:var(--after);background:var(--after)}
.s-tensor{fill:var(--tensor);background:var(--tensor)}.s-non-tensor{fill:var(--non-tensor);background:var(--non-tensor)}
.s-runtime{fill:var(--runtime);background:var(--runtime)}
.s-bad{fill:var(--bad);background:var(--bad)}.s-track{fill:var(--track)}.s-axis{stroke:var(--quiet)}.s-grid{stroke:var(--line)}
.m-good{fill:var(--good);stroke:var(--good)}.m-bad{fill:var(--bad);stroke:var(--bad)}
.m-plain,.m-warn{fill:var(--before);stroke:var(--before)}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:14px 18px}
.curves figcaption{overflow-wrap:anywhere;font-size:12px}.curves figure{break-inside:avoid}
.matrix{display:grid;grid-template-columns:minmax(0,max-content) minmax(0,1fr);gap:0 12px}
.matrix svg text{stroke:none}.matrix g text{fill:var(--text)}
.matrix ol{list-style:none;margin:0;padding:0;font-size:12.5px;max-width:150px}
.matrix li{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
dl.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:6px 20px;margin:0;font-size:14px}
.facts dt{color:var(--quiet)}.facts dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--quiet);font-size:13px;padding:8px 2px 24px}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}`;

const NARROW = `
@media(max-width:900px){.answers{grid-template-columns:repeat(2,minmax(0,1fr))}.bars li{grid-template-columns:minmax(0,240px) minmax(0,1fr) 140px}}
@media(max-width:600px){
main{padding:22px 12px 12px}
h1{font-size:21px}
section{padding:16px 14px}
.answers{gap:8px}.answers>div{padding:12px}.answers .value{font-size:20px}
th,td{padding-right:10px}
table{font-size:13.5px}
.bars li{grid-template-columns:minmax(0,1fr) max-content;padding:6px 0}
.bars .label{display:block;white-space:normal;line-height:1.35;max-height:4.05em;overflow:hidden}.bars .head{overflow:visible}
.bars svg{grid-column:1/3;grid-row:2;margin-top:3px}
.drop{display:none}
.matrix{gap:0 8px}.matrix ol{max-width:88px}
dl.facts{grid-template-columns:minmax(0,1fr);gap:0}.facts dd{margin-bottom:8px}
}
@media(max-width:340px){.answers{grid-template-columns:minmax(0,1fr)}}`;

const PRINT = `
@media print{
body{font-size:11px;background:#fff}
main{max-width:none;padding:0}
section,.answers>div{border-color:#bbb}
section{display:block}section>*+*{margin-top:14px}
h2,figcaption,caption,thead,li,tr{break-inside:avoid;break-after:auto}
h2{break-after:avoid}
.scroll{overflow:visible}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
details:not([open]){display:none}
}`;

/** The style sheet. Paper gets the light palette whatever the screen has. */
export const STYLE = `:root{color-scheme:light dark;${variables(PALETTES.light)}}
@media screen and (prefers-color-scheme:dark){:root{${variables(PALETTES.dark)}}}${RULES}${NARROW}${PRINT}`;
