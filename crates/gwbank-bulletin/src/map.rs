//! A small map: the province's outline, its wells as dots by class.

use std::fmt::Write as _;

use gwbank_registry::places::Province;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 8.0;

/// A dot of the map.
pub(crate) struct Dot {
    pub latitude: f64,
    pub longitude: f64,
    pub colour: &'static str,
    pub label: String,
}

pub(crate) fn svg(province: &Province, dots: &[Dot], title: &str) -> String {
    let shrink = province.latitude.to_radians().cos();
    let points = province.rings().iter().flatten().copied();
    let all: Vec<(f64, f64)> =
        points.chain(dots.iter().map(|dot| (dot.longitude, dot.latitude))).map(|(x, y)| (x * shrink, y)).collect();
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (west, east) = bounds(&mut all.iter().map(|point| point.0));
    let (south, north) = bounds(&mut all.iter().map(|point| point.1));
    let scale =
        ((WIDTH - 2.0 * MARGIN) / (east - west).max(1e-6)).min((HEIGHT - 2.0 * MARGIN) / (north - south).max(1e-6));
    let place = |longitude: f64, latitude: f64| {
        (MARGIN + (longitude * shrink - west) * scale, MARGIN + (north - latitude) * scale)
    };
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">", crate::page::escaped(title));
    for ring in province.rings() {
        let path: Vec<String> = ring
            .iter()
            .map(|&(longitude, latitude)| {
                let (x, y) = place(longitude, latitude);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ =
            write!(svg, "<polygon points=\"{}\" fill=\"#f4f1ea\" stroke=\"#777\" stroke-width=\"1\"/>", path.join(" "));
    }
    for dot in dots {
        let (x, y) = place(dot.longitude, dot.latitude);
        let _ = write!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{}\" stroke=\"#333\" stroke-width=\"0.5\"><title>{}</title></circle>",
            dot.colour,
            crate::page::escaped(&dot.label)
        );
    }
    svg.push_str("</svg>");
    svg
}
