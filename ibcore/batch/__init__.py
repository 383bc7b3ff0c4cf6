"""Batches of orders: lines as people write them, rows as the sidecar sends them.

    lines (form, JSON or CSV) ──► instruments ──► preview ──► submit: order_batch + order_intent

Everything here is used by the flow `order-batch` and by `ibkeeper orders` alike. The key of a
batch makes it one: the same key and body again changes nothing, another body is refused.
"""
