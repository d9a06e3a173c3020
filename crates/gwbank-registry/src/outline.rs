//! Outlines of provinces: is a point inside, and if not, how far off.

/// Points (longitude, latitude) in degrees; the last joins the first.
pub type Ring = Vec<(f64, f64)>;

/// Kilometres per degree of latitude.
const KM_PER_DEGREE: f64 = 111.195;

/// Rings of one area. Islands and holes alike: a point is inside when a ray from it crosses an odd number of edges.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outline {
    rings: Vec<Ring>,
}

impl Outline {
    /// From rings written as `longitude,latitude` pairs in hundredths of a degree.
    pub(crate) fn new<'a>(rings: impl Iterator<Item = &'a str>) -> Self {
        let degrees = |text: &str| text.parse::<i32>().expect("built-in outlines hold integers") as f64 / 100.0;
        let point = |pair: &str| {
            let (longitude, latitude) = pair.split_once(',').expect("built-in outlines hold pairs");
            (degrees(longitude), degrees(latitude))
        };
        Self { rings: rings.map(|ring| ring.split(' ').map(point).collect()).collect() }
    }

    pub(crate) fn rings(&self) -> &[Ring] {
        &self.rings
    }

    fn edges(&self) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
        self.rings.iter().flat_map(|ring| {
            let next = ring.iter().skip(1).chain(ring.first());
            ring.iter().copied().zip(next.copied())
        })
    }

    fn contains(&self, latitude: f64, longitude: f64) -> bool {
        let crossings = self.edges().filter(|&((x1, y1), (x2, y2))| {
            (y1 > latitude) != (y2 > latitude) && longitude < (x2 - x1) * (latitude - y1) / (y2 - y1) + x1
        });
        crossings.count() % 2 == 1
    }

    /// Kilometres to the nearest edge, on a plane tangent at the point: right to a few per cent where it is near, which
    /// is all that the location test asks.
    pub(crate) fn distance_km(&self, latitude: f64, longitude: f64) -> f64 {
        if self.contains(latitude, longitude) {
            return 0.0;
        }
        let km_per_degree_east = KM_PER_DEGREE * latitude.to_radians().cos();
        let plane = |(x, y): (f64, f64)| ((x - longitude) * km_per_degree_east, (y - latitude) * KM_PER_DEGREE);
        self.edges().map(|(a, b)| distance_from_origin(plane(a), plane(b))).fold(f64::INFINITY, f64::min)
    }
}

/// From (0, 0) to the segment between two points.
fn distance_from_origin((ax, ay): (f64, f64), (bx, by): (f64, f64)) -> f64 {
    let (dx, dy) = (bx - ax, by - ay);
    let length_squared = dx * dx + dy * dy;
    let along = if length_squared == 0.0 { 0.0 } else { (-(ax * dx + ay * dy) / length_squared).clamp(0.0, 1.0) };
    (ax + along * dx).hypot(ay + along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_from_a_square_with_a_hole() {
        let square = "10000,1000 10100,1000 10100,1100 10000,1100";
        let hole = "10040,1040 10060,1040 10060,1060 10040,1060";
        let outline = Outline::new([square, hole].into_iter());
        assert_eq!(outline.distance_km(10.2, 100.2), 0.0);
        assert!((outline.distance_km(9.9, 100.5) - 11.1).abs() < 0.1, "a tenth of a degree south");
        assert!((outline.distance_km(10.5, 100.5) - 10.9).abs() < 0.2, "in the hole");
        assert!((outline.distance_km(10.5, 101.1) - 10.9).abs() < 0.2, "east: degrees are shorter");
    }
}
