"""What a target, a file name or a line of code may bring to a report, to be shown as text and nothing else."""

from readiness.model import Edit, Exchange, Handler, Lane, Lapsed, Location, Measurement, Report, Sample, Skipped
from tests.report.values import evidence, finding, live, place, report, static

PAYLOADS = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b2J",
    "\x1bc",
    "\x08\x08\x08READY",
    "\rREADY: everything passed",
    "line\nREADY: second line",
    "\x00null",
    "\u2028separator",
    "\u202egnp.exe",
    "\u2066isolate\u2069",
    "\u200bzero\ufeff",
    "\ud800lone",
    "::error file=a.py,line=1::owned",
    "::stop-commands::token",
    "::add-mask::READY",
    "\n::set-output name=x::y",
    "##[error]owned",
    "text ##[set-env name=PATH;]/evil",
    "##vso[task.setvariable variable=x]y",
    "text ##VSO[task.complete result=Succeeded;]",
    "###[group]x",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></code></details><h1>READY</h1>",
    "<!-- comment",
    "--><b>x</b>",
    "]]><failure/>",
    "<![CDATA[x]]>",
    "&lt;script&gt;",
    "{{ 7 * 7 }}{% raw %}",
    "[link](javascript:alert(1))",
    "![image](https://evil.example/x.png)",
    "`code` ``` fence",
    "| a | b |\n|---|---|",
    "- [x] ticked",
    "# heading **bold** @someone #1",
    "%0A::error::owned",
    "a,b:c=d%2C",
    "https://evil.example/?q=a&b",
    "</style><style>body{display:none}",
)


def everywhere(raw: str) -> Report:
    """A report in which every text from outside is this one."""
    answer = Exchange(raw, 500, raw, 0.1)
    told = (Sample(Lane.HTTP, 0.0, 1.0, raw, well=False),)
    return report(
        static(
            evidence(
                "python/first",
                finding(raw, place(raw, 1, raw), fix=(Edit(1, 1, 1, 1, raw),), diff=f"-{raw}\n+{raw}\n"),
                finding(raw, place(raw, 2), ignored=raw),
                finding(raw, place(raw, 3), known=raw),
                note=raw,
            ),
            evidence(
                "python/second", finding(raw, place(raw, 1, raw), rule="python/second", advisory=True), left_out=raw
            ),
            evidence("odd", finding(raw, place(raw, 9, raw), rule=f"odd{raw}", advisory=True), item=""),
            skipped=(Skipped(raw, raw, blind=True), Skipped(raw, raw)),
        ),
        live(
            evidence("live/first", finding(raw, answer, rule="live/first")),
            evidence("live/third", error=raw),
            evidence("live/second", finding(raw, answer, rule=f"live/second{raw}"), examined=1, timeline=told),
            measurements=(Measurement(raw, "ms", ({raw: raw, "p95": 1.5},)),),
        ),
        compared=raw,
        lapsed=(Lapsed(raw, raw),),
        handlers=(Handler(("POST",), raw, Location(raw, 4, 1, 4, 2, raw)),),
    )
