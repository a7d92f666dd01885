// SPDX-License-Identifier: Apache-2.0
// The look of all pages: quiet, system fonts, one blue and one orange that colour-blind readers tell apart.
#pragma once

#include "lancet/atlas/html/markup.hpp"

namespace lancet::html {

namespace detail {

inline constexpr char light_tokens[] = R"css(
color-scheme:light;--page:#f8f7f4;--card:#fff;--ink:#1b1d21;--soft:#5b616c;--line:#e2dfd8;--grid:#eceae4;--lattice:#d3d0c8;
--pos:#1f6cb0;--neg:#cc5f0a;--pos-ink:#175a95;--neg-ink:#9a4502;--grey:#a9adb4;--wash:#eef4fa;--alarm:#fdf1e6;--mark:#7d838d;
)css";

inline constexpr char dark_tokens[] = R"css(
color-scheme:dark;--page:#121417;--card:#191c20;--ink:#e9e7e2;--soft:#a2a8b2;--line:#2c3036;--grid:#24282d;--lattice:#3b4047;
--pos:#5aa9ec;--neg:#f0954a;--pos-ink:#86c0f2;--neg-ink:#f5b27b;--grey:#666c75;--wash:#1a2733;--alarm:#2e2219;--mark:#8a909a;
)css";

inline constexpr char page_style[] = R"css(
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth;scroll-padding-top:4rem}
body{margin:0;overflow-wrap:anywhere;background:var(--page);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
h1,h2,h3,h4,p,dl,dd,figure,ul,pre{margin:0;padding:0}
a{color:var(--pos-ink);text-underline-offset:.18em;text-decoration-thickness:1px}
:focus-visible{outline:2px solid var(--pos);outline-offset:2px;border-radius:3px}
code,pre{font-family:ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:.875em}
small{font-size:.85em;color:var(--soft)}
.skip{position:absolute;left:-999px}.skip:focus{left:1rem;top:1rem;background:var(--card);padding:.5rem 1rem;z-index:9}
.page{max-width:1180px;margin:0 auto;padding:3.5rem 1.5rem 6rem;display:grid;grid-template-columns:minmax(0,1fr);gap:0}
.mast{margin-bottom:1.75rem}
.mast .brand{font-size:.8125rem;letter-spacing:.04em;color:var(--soft)}
.mast h1{font-size:clamp(1.6rem,4vw,2.25rem);line-height:1.15;font-weight:650;letter-spacing:-.022em;margin:.4rem 0 .5rem;overflow-wrap:anywhere;text-wrap:balance}
.mast p.about{color:var(--soft);max-width:44rem}
nav{font-size:.875rem;margin:0 0 2.5rem}
nav ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.35rem 1.25rem}
nav a{color:var(--soft);text-decoration:none}nav a:hover,nav a[aria-current]{color:var(--ink);text-decoration:underline}
nav .none a{color:var(--soft);opacity:.65}
main{min-width:0}
section{margin:0 0 4.25rem}
section.empty{margin-bottom:2rem}
h2{font-size:1.375rem;line-height:1.25;font-weight:640;letter-spacing:-.014em;margin-bottom:.5rem;text-wrap:balance}
h3{font-size:1.0625rem;font-weight:620;margin:2.75rem 0 .35rem}
section.empty h2{font-size:1.0625rem;color:var(--soft)}
.lede{max-width:44rem;color:var(--soft);margin-bottom:1.5rem;text-wrap:pretty}
.absent,.aside,.how,.more{color:var(--soft);max-width:44rem}.how,.more,.aside{font-size:.875rem;margin:.5rem 0}
.headline{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:clamp(1.25rem,3.2vw,2.5rem);margin-bottom:2rem}
.verdict{font-size:clamp(1.125rem,2.3vw,1.4375rem);line-height:1.4;font-weight:520;letter-spacing:-.01em;max-width:46rem;text-wrap:pretty}
section ul{padding-left:1.2rem}.checks.checks{padding:0;list-style:none;display:flex;flex-wrap:wrap;gap:.4rem 1.5rem;margin:1rem 0 0;font-size:.9375rem;color:var(--soft)}
.checks span{font-weight:700}.checks em{font-style:normal;font-weight:600}
.checks .pass span,.checks .pass em{color:var(--pos-ink)}.checks .fail span,.checks .fail em{color:var(--neg-ink)}
.harm{display:grid;grid-template-columns:minmax(11rem,max-content) minmax(0,1fr);gap:1.5rem 2.5rem;align-items:center;margin:2rem 0 .5rem}
.big b{display:block;white-space:nowrap;font-size:clamp(3.25rem,7.5vw,5rem);line-height:1;font-weight:300;letter-spacing:-.05em}
.big span{display:block;max-width:15rem;color:var(--soft);font-size:.9375rem;line-height:1.45;margin-top:.6rem}
.harm figcaption{margin:0 0 .25rem;max-width:none}.harm .test{color:var(--soft);font-size:.875rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:1.5rem 2rem;margin-top:1.75rem;padding-top:1.5rem;border-top:1px solid var(--line)}
.tile dt{font-size:.875rem;color:var(--soft)}
.tile b{display:block;font-size:1.375rem;font-weight:560;letter-spacing:-.02em;line-height:1.35}
.tile dd span{font-size:.8125rem;color:var(--soft)}
.notice{margin-top:1.25rem;padding:.65rem 1rem;background:var(--alarm);border-radius:8px;font-size:.9375rem}
figure{margin:0 0 .75rem;min-width:0}
figcaption{font-size:.875rem;line-height:1.5;color:var(--soft);margin-top:.6rem;max-width:46rem;text-wrap:pretty}
.scroll{overflow-x:auto;overflow-y:hidden;max-width:100%;-webkit-overflow-scrolling:touch}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1.75rem 2.5rem;margin-bottom:.75rem}
svg{display:block;font:12px/1 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Arial,sans-serif;fill:var(--ink)}
svg.plot{width:100%;height:auto;max-width:620px}
.wide svg.plot{max-width:860px;min-width:560px}
.full svg{width:100%;height:auto;min-width:720px}
.heat-figure svg{max-width:none}.look{overflow-x:auto}
.harm svg.plot{max-width:500px}.medium svg.plot{max-width:520px}
.grid{stroke:var(--grid);fill:none}.baseline{stroke:var(--mark);fill:none;stroke-width:1}
.tick,.axis-title,.note{fill:var(--soft)}.tick{font-size:11.5px}.axis-title{font-size:12px}.note{font-size:11.5px}
.strong{font-weight:650}.note.strong,.name.strong{fill:var(--ink)}
.mark{stroke:var(--mark);stroke-dasharray:3 4;fill:none}
.line{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.line.found{stroke:var(--pos)}.line.harmful{stroke:var(--neg)}.line.plain{stroke:var(--ink);stroke-width:1.75}
.line.random{stroke:var(--soft);stroke-dasharray:6 5;stroke-width:1.75}
.band{stroke:none;opacity:.16}.band.found{fill:var(--pos)}.band.random{fill:var(--soft)}
.dot.found{fill:var(--pos)}.dot.harmful{fill:var(--neg)}.dot.plain{fill:var(--ink)}.dot.random{fill:var(--soft)}
.ring{fill:var(--card);stroke-width:1.5;stroke:var(--soft)}.ring.before{stroke:var(--ink);stroke-width:2;fill:var(--card)}
.dot.after{fill:var(--pos)}.arrow{stroke:var(--ink);stroke-width:2;opacity:.28}
.region.target{fill:var(--pos);opacity:.08}
.end{font-size:12px;font-weight:600}.end.found{fill:var(--pos-ink)}.end.random{fill:var(--soft);font-weight:500}
.whisker{stroke:var(--ink);stroke-width:1.25;fill:none;opacity:.75}
.bar.pos{fill:var(--pos)}.bar.neg{fill:var(--neg)}.bar.dim{fill:var(--grey);fill-opacity:.35;stroke:var(--grey);stroke-dasharray:2 2}
.bar.before{fill:var(--grey)}.bar.after{fill:var(--pos)}.mean{stroke:var(--ink);stroke-width:1.5}
.value{font-size:12px}.value.soft{fill:var(--soft)}
.heat .frame{fill:none;stroke:var(--line)}.heat .pos,.node .pos{fill:var(--pos)}.heat .neg,.node .neg{fill:var(--neg)}
.cell text{font-size:11px}.heat .on{fill:var(--card)}.heat .off{fill:var(--ink)}
.heat .minus{stroke:var(--ink);stroke-width:1.25}.heat .minus.on{stroke:var(--card)}
.heat .in>rect{stroke:var(--ink);stroke-width:1.75}.cell:focus{outline:none}.cell:focus>rect,.cell.chosen>rect{stroke:var(--ink);stroke-width:2.5}
.lattice{stroke:var(--lattice);stroke-width:2.2;stroke-linecap:round}
.node{cursor:pointer}.node>*{fill-opacity:.55}.node.in>*{fill-opacity:1;stroke:var(--ink);stroke-width:1.75}
.node:focus{outline:none}.node:focus>*,.node.chosen>*{stroke:var(--ink);stroke-width:3}
.node.gone,.edge.gone{display:none}.graph.pinned .edge:not(.lit){opacity:.1}
.edge path{fill:none;opacity:.62;stroke-linecap:butt}.edge.pos path{stroke:var(--pos)}.edge.neg path{stroke:var(--neg)}.edge text{font-size:10px;font-weight:650;fill:var(--ink)}
.input-q path{stroke-dasharray:10 4}.input-k path{stroke-dasharray:5 4}.input-v path{stroke-dasharray:1.5 3}
.end-node rect{fill:var(--card);stroke:var(--mark)}.end-node text{font-size:11px;fill:var(--soft)}
.controls{display:none;flex-wrap:wrap;gap:.5rem 1.75rem;align-items:center;font-size:.9375rem;margin:.75rem 0 1rem}
.js .controls{display:flex}.controls input[type=range]{vertical-align:middle;width:min(15rem,60vw);accent-color:var(--pos)}.controls input[type=checkbox]{accent-color:var(--pos)}
.controls output{display:inline-block;min-width:3.4em;font-weight:600}.tally{color:var(--soft)}
.panel{display:none;background:var(--wash);border-radius:10px;padding:.85rem 1.15rem;font-size:.9375rem;margin:.75rem 0}.js .panel{display:block}
.panel ul{margin:.4rem 0 0;padding-left:1.2rem;columns:2 18rem}.panel p:first-child{color:var(--ink)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:.85rem 2rem;margin:0 0 1.5rem;font-size:.9375rem}
.wide-facts{grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))}
.facts dt{font-size:.8125rem;color:var(--soft)}.facts dd{overflow-wrap:anywhere;line-height:1.45}
.maps{display:flex;flex-wrap:wrap;gap:0 3rem}.maps h3{margin-top:.5rem}.maps>div{width:min-content;max-width:100%}
details.numbers{margin:.35rem 0}details.numbers caption{position:absolute;left:-9999px}
summary{cursor:pointer;font-size:.9375rem;padding:.3rem 0;color:var(--pos-ink);width:fit-content}summary span{color:var(--soft);margin-left:.35rem}
.tools{display:none;gap:.5rem;margin:.5rem 0}.js .tools{display:flex;flex-wrap:wrap}
button{font:inherit;font-size:.8125rem;color:var(--ink);background:var(--card);border:1px solid var(--line);border-radius:7px;padding:.3rem .75rem;cursor:pointer}
button:hover{border-color:var(--mark)}
table{overflow-wrap:break-word;border-collapse:collapse;font-size:.875rem;line-height:1.4}
caption{text-align:left;color:var(--soft);font-size:.8125rem;padding:.2rem 0 .5rem}
th{text-align:left;font-weight:600;white-space:nowrap;border-bottom:1px solid var(--mark);padding:.4rem 2rem .4rem 0;vertical-align:bottom}
td{max-width:34rem;padding:.34rem 2rem .34rem 0;border-bottom:1px solid var(--line);vertical-align:top}
.n{text-align:right}td:first-child{min-width:9rem}td.n:first-child{min-width:0}td.n,td.k{white-space:nowrap}td:last-child,th:last-child{padding-right:.25rem}tr.in td{font-weight:620}
.js th{cursor:pointer}th[aria-sort=ascending]::after{content:" ↑"}th[aria-sort=descending]::after{content:" ↓"}
details .scroll{max-height:32rem;overflow-y:auto}details thead th{position:sticky;top:0;background:var(--page)}
.generation{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.15rem 1.35rem;margin:0 0 1rem}
.prompt{font-weight:600;overflow-wrap:anywhere;white-space:pre-wrap;unicode-bidi:isolate}
.pair{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1rem 2rem;margin-top:.6rem}
.side h4{font-size:.8125rem;font-weight:500;color:var(--soft)}.side p{overflow-wrap:anywhere;white-space:pre-wrap;unicode-bidi:isolate;line-height:1.55}
del{background:color-mix(in srgb,var(--neg) 15%,transparent);text-decoration:underline dashed 1px var(--neg);text-underline-offset:.2em}
ins{background:color-mix(in srgb,var(--pos) 14%,transparent);text-decoration-color:var(--pos);text-underline-offset:.2em;text-decoration-thickness:1px}
.meta{display:flex;flex-wrap:wrap;gap:.2rem 1.25rem;font-size:.8125rem;color:var(--soft);margin-top:.7rem}
.reveal{position:absolute;opacity:0}.reveal+label{display:inline-block;font-size:.8125rem;cursor:pointer;border:1px solid var(--line);border-radius:7px;padding:.2rem .7rem;margin-bottom:.7rem;color:var(--neg-ink)}
.reveal:focus-visible+label{outline:2px solid var(--pos);outline-offset:2px}.reveal+label span{font-weight:620;text-decoration:underline;text-underline-offset:.2em}
.reveal:not(:checked)+label .hide,.reveal:checked+label .show{display:none}
.reveal:not(:checked)~.veiled{filter:blur(7px);user-select:none;-webkit-user-select:none;pointer-events:none}
.command{position:relative;margin:.75rem 0 1.75rem}
.command pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 5.5rem 1rem 1.15rem;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.55}
.command button{display:none;position:absolute;top:.65rem;right:.65rem}.js .command button{display:block}
footer{color:var(--soft);font-size:.875rem;border-top:1px solid var(--line);padding-top:1rem}
@media(min-width:1080px){.page{grid-template-columns:11.5rem minmax(0,1fr);gap:0 3.25rem}.mast,.headline-row{grid-column:1/-1}
nav{position:sticky;top:2rem;align-self:start;margin:0}nav ol{flex-direction:column;gap:.42rem}}
@media(max-width:640px){.page{padding:1.75rem 1rem 4rem}.harm,.pair{grid-template-columns:minmax(0,1fr)}section{margin-bottom:3.25rem}.tiles{grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1.15rem 1.25rem}
.generation{padding:1rem}.command pre{padding-right:1.15rem;padding-top:3rem}svg.plot{min-width:340px}.wide svg.plot{min-width:540px}.harm svg.plot{min-width:0}}
@media print{:root{--page:#fff}body{font-size:10.5pt}.page{display:block;max-width:none;padding:0}nav,.tools,.controls,.panel,button{display:none!important}
figure,.generation,.headline,tr{break-inside:avoid}h2,h3,.lede,.how{break-after:avoid}section{margin-bottom:2rem}.scroll{overflow:visible;max-height:none!important}
svg{min-width:0!important}.pictures{grid-template-columns:1fr 1fr;gap:1rem}.maps{gap:1rem}.maps>div{width:auto}.heat-figure svg{max-width:100%;height:auto}}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
)css";

}  // namespace detail

/// The style element's text: tokens for light and dark, then the rules.
[[nodiscard]] inline markup style() {
  return html(":root{", markup(detail::light_tokens), "}@media(prefers-color-scheme:dark){:root{",
              markup(detail::dark_tokens), "}}", markup(detail::page_style));
}

}  // namespace lancet::html
