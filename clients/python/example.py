"""A shop's server tells what its customers do:

    ./generate
    URL=http://127.0.0.1:3000 PROJECT_KEY=pk_live_… PYTHONPATH=src python3 example.py
"""

import os

from apex_client import Apex

url = os.environ.get("URL", "http://127.0.0.1:3000")
with Apex(url, os.environ["PROJECT_KEY"], on_error=lambda error, events: print(error)) as apex:
    visitor = "v_example"
    plans = "https://shop.example.com/plans?utm_source=news"
    apex.track("pageview", visitor_id=visitor, url=plans)
    apex.identify("jo@example.com", {"plan": "team"}, visitor_id=visitor)
    order = {"order_id": "o-1", "value": 59.98, "currency": "EUR", "quantity": 2}
    # An event that may be told twice has an id of its own.
    for _ in range(2):
        apex.track("purchase", order, visitor_id=visitor, event_id="order-o-1")
print("sent")
