"""Drills: real failures, made on purpose inside the sidecar, which ends them itself.

course.py      the moments of a drill, as they come
subject.py     what a drill may touch, and what its moments are
mechanism.py   what is done to the connection; every fault has its own end, on the sidecar's clock
handler.py     the request: refuse what is unwise, do it, measure, store
"""
