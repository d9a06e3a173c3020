"""What a gateway built on paho-mqtt does to a broker. Prints one JSON object: step -> what was seen.

usage: paho_matrix.py HOST PORT VERSION(3|5) GATEWAY WELL [USER PASSWORD]
"""
import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

host, port, version, gateway, well = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
user, password = (sys.argv[6], sys.argv[7]) if len(sys.argv) > 7 else (None, None)
protocol = mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311
PATIENCE_SECONDS = 20
seen = {}


def client(name, clean=True, will=None):
    if version == 5:
        c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol)
    else:
        c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, clean_session=clean)
    if user:
        c.username_pw_set(user, password)
    if will:
        c.will_set(will, b"gone", qos=1)
    c.inbox, c.connected, c.subscribed, c.news = [], threading.Event(), threading.Event(), threading.Condition()

    def on_connect(c, _u, _f, reason, _p):
        c.reason = str(reason)
        c.connected.set()

    def on_message(c, _u, m):
        with c.news:
            c.inbox.append((m.topic, m.payload.decode(), m.qos, m.retain))
            c.news.notify_all()

    c.on_connect, c.on_message = on_connect, on_message
    c.on_subscribe = lambda c, *_: c.subscribed.set()
    if version == 5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if clean else 3600
        c.connect(host, port, clean_start=clean, properties=properties)
    else:
        c.connect(host, port)
    c.loop_start()
    if not c.connected.wait(PATIENCE_SECONDS):
        sys.exit(f"{name}: no CONNACK")
    return c


def subscribe(c, topic):
    c.subscribed.clear()
    c.subscribe(topic, qos=1)
    if not c.subscribed.wait(PATIENCE_SECONDS):
        sys.exit(f"no SUBACK for {topic}")


def received(c, payload):
    end = time.monotonic() + PATIENCE_SECONDS
    with c.news:
        while not any(m[1] == payload for m in c.inbox):
            if not c.news.wait(max(0, end - time.monotonic())):
                return None
        return next(m for m in c.inbox if m[1] == payload)


def stop(c):
    c.disconnect()
    c.loop_stop()


def reading(minute):
    return json.dumps({"well": well, "time": f"2026-02-0{version}T00:{minute:02}:00+07:00", "depth_to_water": 1 + minute / 100})


publisher = client(f"paho-{version}-publisher")
for qos in (0, 1, 2):
    info = publisher.publish(f"gwbank/v1/{gateway}/readings", reading(qos), qos=qos)
    info.wait_for_publish(PATIENCE_SECONDS)
    seen[f"published_qos{qos}"] = info.is_published()

publisher.publish(f"site/{gateway}/note", "retained note", qos=1, retain=True).wait_for_publish(PATIENCE_SECONDS)
reader = client(f"paho-{version}-reader")
subscribe(reader, f"site/{gateway}/note")
message = received(reader, "retained note")
seen["retained"] = bool(message and message[3])

subscribe(reader, f"site/{gateway}/will")
doomed = client(f"paho-{version}-doomed", will=f"site/{gateway}/will")
doomed._sock_close()  # the network goes, no DISCONNECT
doomed.loop_stop()
seen["will"] = received(reader, "gone") is not None

sleeper = client(f"paho-{version}-sleeper", clean=False)
subscribe(sleeper, f"site/{gateway}/queue")
stop(sleeper)
publisher.publish(f"site/{gateway}/queue", "while you slept", qos=1).wait_for_publish(PATIENCE_SECONDS)
sleeper = client(f"paho-{version}-sleeper", clean=False)
seen["session_resumed"] = received(sleeper, "while you slept") is not None

for c in (publisher, reader, sleeper):
    stop(c)
print(json.dumps(seen))
