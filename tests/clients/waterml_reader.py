"""Reads a WaterML 2.0 document with OWSLib and compares it with what SQL said. Prints a JSON object of steps and outcomes.

Arguments: the document, a JSON file of {"rows": [[well_id, parameter, unit, time, value], …], "tolerance": …}, rows in the
document's order; the tolerance is for means, whose last digit depends on the order of a sum.
With GWBANK_OGC_SCHEMAS, a folder that mirrors http://schemas.opengis.net, it is validated against the schema, too.
"""
import datetime
import json
import math
import os
import sys

from lxml import etree
from owslib.swe.observation.waterml2 import MeasurementTimeseriesObservation

document, expected = sys.argv[1:3]
expectation = json.load(open(expected))
rows, tolerance = expectation["rows"], expectation["tolerance"]
tree = etree.parse(document)
root = tree.getroot()
WML2 = "{http://www.opengis.net/waterml/2.0}"
OM = "{http://www.opengis.net/om/2.0}"
GML = "{http://www.opengis.net/gml/3.2}"
SWE = "{http://www.opengis.net/swe/2.0}"
HREF = "{http://www.w3.org/1999/xlink}href"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
seen = {}


def check(step, outcome):
    seen[step] = True if outcome is True else repr(outcome)


# Terms of the standard in the order in which its schema has them, of what is written here.
ORDER = {
    WML2 + "Collection": ["metadata", "localDictionary", "samplingFeatureMember", "observationMember"],
    WML2 + "DocumentMetadata": ["generationDate", "version", "generationSystem"],
    WML2 + "MonitoringPoint": ["identifier", "name", "sampledFeature", "parameter", "shape", "verticalDatum", "timeZone"],
    OM + "OM_Observation": ["type", "phenomenonTime", "resultTime", "procedure", "observedProperty",
                            "featureOfInterest", "result"],
    WML2 + "ObservationProcess": ["processType", "aggregationDuration"],
    WML2 + "MeasurementTimeseries": ["metadata", "defaultPointMetadata", "point"],
    WML2 + "MeasurementTimeseriesMetadata": ["temporalExtent", "cumulative"],
    WML2 + "MeasurementTVP": ["time", "value", "metadata"],
}
for name in ["TVPMeasurementMetadata", "DefaultTVPMeasurementMetadata"]:
    ORDER[WML2 + name] = ["quality", "nilReason", "qualifier", "uom", "interpolationType", "censoredReason",
                          "aggregationDuration"]
wrong = set()
for element in root.iter(*ORDER):
    names = [etree.QName(child).localname for child in element]
    order = ORDER[element.tag]
    if any(name not in order for name in names) or names != sorted(names, key=order.index):
        wrong.add((etree.QName(element).localname, tuple(names)))
check("elements stand in the order of the schema", not wrong or wrong)
ids = [element.get(GML + "id") for element in root.iter() if element.get(GML + "id")]
check("ids are unique", len(ids) == len(set(ids)))
links = [element.get(HREF)[1:] for element in root.iter() if (element.get(HREF) or "").startswith("#")]
definitions = [element.get("definition")[1:] for element in root.iter() if (element.get("definition") or "").startswith("#")]
check("links lead to ids", set(links + definitions) <= set(ids) or set(links + definitions) - set(ids))

points = {point.get(GML + "id"): point for point in root.iter(WML2 + "MonitoringPoint")}
found = []
for member in root.findall(WML2 + "observationMember"):
    element = member.find(OM + "OM_Observation")
    observation = MeasurementTimeseriesObservation(element)
    series = observation.get_result()
    point = points[element.find(OM + "featureOfInterest").get(HREF)[1:]]
    well = point.find(GML + "identifier").text
    for pair in series:
        time = pair.datetime.astimezone(datetime.timezone.utc)
        value = None if math.isnan(pair.value) else pair.value
        found.append([well, observation.observedProperty[1:], series.defaultTVPMetadata.uom, time, value])
    check("each point has its place in time",
          element.find(f"{OM}phenomenonTime/{GML}TimePeriod/{GML}beginPosition") is not None)
parse = datetime.datetime.fromisoformat
wanted = [[well, parameter, unit, parse(time).astimezone(datetime.timezone.utc), value]
          for well, parameter, unit, time, value in rows]
check("all rows are there", len(found) == len(wanted) or (len(found), len(wanted)))


def is_same(a, b):
    if a[:-1] != b[:-1] or (a[-1] is None) != (b[-1] is None):
        return False
    return a[-1] is None or a[-1] == b[-1] or abs(a[-1] - b[-1]) <= tolerance


others = [pair for pair in zip(found, wanted) if not is_same(*pair)]
check("values, times and units are those of SQL", not others or others[:3])

for tvp in root.iter(WML2 + "MeasurementTVP"):
    value = tvp.find(WML2 + "value")
    if value.get(NIL) == "true":
        metadata = tvp.find(f"{WML2}metadata/{WML2}TVPMeasurementMetadata")
        reasons = [metadata.find(WML2 + name) for name in ("nilReason", "censoredReason")]
        check("what is missing has a reason", any(reason is not None for reason in reasons))

schemas = os.environ.get("GWBANK_OGC_SCHEMAS")
if schemas:
    attributes = "".join(f'<xs:attribute name="{name}" type="xs:{kind}"/>' for name, kind in [
        ("type", "string"), ("href", "anyURI"), ("role", "anyURI"), ("arcrole", "anyURI"), ("title", "string"),
        ("show", "string"), ("actuate", "string")])
    group = "".join(f'<xs:attribute ref="xlink:{name}"/>' for name in "type href role arcrole title show actuate".split())
    XLINK = ('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xlink="http://www.w3.org/1999/xlink" '
             f'targetNamespace="http://www.w3.org/1999/xlink">{attributes}'
             f'<xs:attributeGroup name="simpleAttrs">{group}</xs:attributeGroup>'
             f'<xs:attributeGroup name="simpleLink">{group}</xs:attributeGroup></xs:schema>')
    XML = ('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
           'targetNamespace="http://www.w3.org/XML/1998/namespace"><xs:attribute name="lang" type="xs:language"/></xs:schema>')

    class Local(etree.Resolver):
        """The schemas from the folder; those of the W3C, of which two versions are meant, as the one that serves both."""

        def resolve(self, url, _public_id, context):
            name = url.rsplit("/", 1)[-1]
            if "xlink" in name:
                return self.resolve_string(XLINK, context)
            if name == "xml.xsd":
                return self.resolve_string(XML, context)
            for host in ("http://schemas.opengis.net/", "https://schemas.opengis.net/"):
                if url.startswith(host):
                    return self.resolve_filename(os.path.join(schemas, url[len(host):]), context)
            return None

    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local())
    schema = etree.XMLSchema(etree.parse(os.path.join(schemas, "waterml/2.0/waterml2.xsd"), parser))
    valid = schema.validate(tree)
    check("it is valid by the schema", valid or [error.message for error in schema.error_log][:5])

print(json.dumps(seen, ensure_ascii=False, default=str))
