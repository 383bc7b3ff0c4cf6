"""The sidecar's own eyes: /healthz, /readyz, /metrics and a status page, on loopback.

live.py       what is so now: frozen values
eyes.py       looks at the running parts; needs no database
trace.py      the last hour of rates and latencies, from memory
timeline.py   steps to segments of a time line; pure
verdict.py    the state of everything in one sentence, and what is not ready; pure
history.py    what only the database knows; read beside, never waited for
document.py   all of it as the JSON that the page draws
metrics.py    the same for Prometheus
routes.py     paths, headers, who may ask
server.py     uvicorn inside the sidecar's own loop
page.py       the owner of all this: what goes wrong here ends here, the ticks go on
assets/       the page: HTML, CSS, JavaScript, nothing from elsewhere
"""
