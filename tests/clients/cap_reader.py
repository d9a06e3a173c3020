"""Reads CAP documents as others do: by the schema (lxml), capparser, cap-tools. On the command line the schema, then files.

Prints one line of JSON a document.
"""

import json
import sys

import capparser
from cap_tools.models import Alert
from lxml import etree
from xsdata.formats.dataclass.parsers import XmlParser

schema = etree.XMLSchema(etree.parse(sys.argv[1]))
for name in sys.argv[2:]:
    schema.assertValid(etree.parse(name))
    with open(name, encoding="utf-8") as file:
        text = file.read()
    other = capparser.parse(stringXML=text.split("?>", 1)[1])
    alert = XmlParser().from_string(text, Alert)
    assert other.identifier[0] == alert.identifier, (other.identifier, alert.identifier)
    assert len(other.info[0]) == len(alert.infos), other.info
    area = alert.infos[0].areas[0]
    for polygon in area.polygons:
        points = [tuple(map(float, point.split(","))) for point in polygon.split()]
        assert len(points) >= 4 and points[0] == points[-1], polygon
        assert all(5 < latitude < 21 and 97 < longitude < 106 for latitude, longitude in points), polygon
    codes = area.geocodes_to_dict()
    print(
        json.dumps(
            {
                "identifier": alert.identifier,
                "status": alert.status.value,
                "msgType": alert.msg_type.value,
                "scope": alert.scope.value,
                "references": alert.references,
                "languages": [info.language for info in alert.infos],
                "iso": codes.get("ISO 3166-2"),
                "dopa": codes.get("DOPA"),
                "polygons": len(area.polygons),
                "urgency": alert.infos[0].urgency.value,
            },
            ensure_ascii=False,
        )
    )
