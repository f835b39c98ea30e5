"""The look of the page: a phone, a desk, paper, by day and by night."""

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2329; --soft: #5b6570; --rule: #d9dee3; --shade: #f4f6f8;
  --for: #c4500a; --against: #0068a8; --warn: #fff4d6; --warn-edge: #d79b00;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b8558f; --c4: #c98a00; --c5: #3a9fd1; --c6: #6a4c93;
  --c7: #8a6d3b }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --ink: #e6e9ec; --soft: #a3adb7; --rule: #353d45;
  --shade: #1d2329; --for: #f08a4b; --against: #59b3ea; --warn: #3a2f10; --warn-edge: #c99a2e;
  --c0: #59b3ea; --c1: #f08a4b; --c2: #3cc79b; --c3: #dc8fbb; --c4: #e6b04a; --c5: #8accf0; --c6: #ab90d3;
  --c7: #c4a672 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.2rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: break-word }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--rule) }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem }
p { margin: .4rem 0 .8rem; max-width: 46rem }
.lead { font-size: 1.05rem }
.soft, figcaption, footer { color: var(--soft); font-size: .88rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .32rem .7rem .32rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule) }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom }
.number { text-align: right } td.number { white-space: nowrap }
.number small { display: block; font-weight: 400; color: var(--soft); font-size: .87em }
tr.subject { background: var(--shade); font-weight: 600 }
.models th { max-width: 7rem }
.models th:first-child { position: sticky; left: 0; background: inherit; min-width: 6.5rem }
.models thead tr, .models tbody tr { background: var(--paper) }
.models tbody tr.subject { background: var(--shade) }
.warnings { list-style: none; margin: .6rem 0; padding: 0 }
.warnings li { background: var(--warn); border-left: 4px solid var(--warn-edge); padding: .5rem .8rem; margin: .5rem 0;
  max-width: 46rem }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: .5rem 2rem }
figure { margin: .8rem 0; max-width: 30rem; break-inside: avoid }
svg { width: 100%; height: auto; display: block }
svg text { fill: var(--ink); font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
.grid { stroke: var(--rule); fill: none } .axis { stroke: var(--soft); fill: none }
.line { fill: none; stroke-width: 1.8; stroke: var(--colour) } .dot { fill: var(--colour); fill-opacity: .75;
  stroke: none }
.c0 { --colour: var(--c0) } .c1 { --colour: var(--c1) } .c2 { --colour: var(--c2) } .c3 { --colour: var(--c3) }
.c4 { --colour: var(--c4) } .c5 { --colour: var(--c5) } .c6 { --colour: var(--c6) } .c7 { --colour: var(--c7) }
.key { display: inline-block; white-space: nowrap; margin-right: 1rem }
.key::before { content: ""; display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em;
  background: var(--colour) }
.groups { list-style: square; padding-left: 1.2rem } .groups li::marker { color: var(--colour) }
.bars { margin: .6rem 0; max-width: 46rem }
.bars > div { display: grid; grid-template-columns: minmax(7rem, 13rem) 1fr; gap: .1rem 1rem; padding: .35rem 0;
  border-bottom: 1px solid var(--rule); break-inside: avoid }
.bars .name small { display: block; color: var(--soft); font-size: .8rem }
.bar { display: grid; grid-template-columns: 4.2rem 1fr 4.2rem; gap: .5rem; align-items: center; font-size: .85rem }
.bar b { font-weight: 400; color: var(--soft) } .bar em { font-style: normal; text-align: right;
  font-variant-numeric: tabular-nums }
.track { position: relative; height: .75rem; background: var(--shade) }
.track i { position: absolute; top: 0; bottom: 0; background: var(--against) }
.track i.plus { background: var(--for) } .teacher .track i { opacity: .5 }
.track.signed::after { content: ""; position: absolute; left: 50%; top: -2px; bottom: -2px; border-left: 1px solid
  var(--soft) }
article { border: 1px solid var(--rule); border-radius: 6px; padding: .2rem 1rem .6rem; margin: 1rem 0;
  max-width: 50rem }
@media (max-width: 34rem) { .bars > div { grid-template-columns: 1fr } body { font-size: 15px } }
@media print { :root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --rule: #ccc; --shade: #eee;
  --for: #c4500a; --against: #0068a8; --warn: #fff4d6; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b8558f;
  --c4: #c98a00; --c5: #3a9fd1; --c6: #6a4c93; --c7: #8a6d3b; font-size: 10pt }
  body { max-width: none; padding: 0; font-size: 1rem; print-color-adjust: exact; -webkit-print-color-adjust: exact }
  h2, h3 { break-after: avoid } article, tr, .warnings li { break-inside: avoid } .wide { overflow: visible }
  .models { font-size: 8pt } }
"""
