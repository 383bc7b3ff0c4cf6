"""Orders: at most one live broker order per intent; every intent ends known, or loudly `unknown`.

sender      claims intents, risk, durable ids, then the frame      (rows -> wire)
tap         every raw callback about orders, as one Heard           (wire -> memory)
book        whose it is, and what is known now: a fold of evidence  (memory)
ledger      evidence and states, in one transaction                 (memory -> rows)
reconcile   asks IB for everything after every start and doubt; the gate opens after it
desk        joins them
"""
