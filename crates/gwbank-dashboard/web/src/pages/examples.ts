// Statements to begin with; each runs as it stands.
export const EXAMPLES: { th: string; en: string; sql: string }[] = [
  {
    th: "ความลึกระดับน้ำล่าสุดของแต่ละจังหวัด",
    en: "Latest depth to water by province",
    sql: `SELECT p.name_th, p.name_en, count(*) AS wells, round(avg(r.depth), 2) AS mean_depth_m
FROM (SELECT well_id, last_value(value ORDER BY time) AS depth FROM readings
      WHERE parameter = 'depth_to_water' AND quality <= 2 GROUP BY well_id) r
JOIN wells w ON w.well_id = r.well_id
JOIN provinces p ON p.province_code = w.province_code
GROUP BY p.name_th, p.name_en ORDER BY mean_depth_m DESC`,
  },
  {
    th: "ค่ารายวันของบ่อหนึ่งในสิบปี",
    en: "Ten years of one well, by days",
    sql: `SELECT day, mean, min, max FROM readings_daily
WHERE parameter = 'depth_to_water' AND well_id = (SELECT min(well_id) FROM wells)
ORDER BY day DESC LIMIT 3650`,
  },
  {
    th: "ดัชนี SGI รายเดือน",
    en: "Standardised groundwater index by month",
    sql: `SELECT month, level, sgi(level) OVER (PARTITION BY well_id, date_part('month', month)) AS sgi
FROM levels_monthly WHERE well_id = (SELECT min(well_id) FROM wells) ORDER BY month`,
  },
  {
    th: "แนวโน้มระดับน้ำรายบ่อ (Mann-Kendall)",
    en: "Trend of each well (Mann-Kendall)",
    sql: `SELECT well_id, t['trend'] AS trend, round(t['p'], 4) AS p, round(t['slope'] * 12, 3) AS m_per_year
FROM (SELECT well_id, mann_kendall_seasonal(level, month) AS t FROM levels_monthly GROUP BY well_id)
ORDER BY m_per_year LIMIT 100`,
  },
  {
    th: "สถานการณ์ที่ยังคงอยู่ แยกตามจังหวัด",
    en: "Open flags by province",
    sql: `SELECT province_code, hazard, severity, count(*) AS flags
FROM condition_flags WHERE state <> 'closed' GROUP BY 1, 2, 3 ORDER BY flags DESC`,
  },
  {
    th: "บ่อที่เงียบนานที่สุด",
    en: "Wells that have been silent longest",
    sql: `SELECT well_id, max(time) AS last_reading FROM readings GROUP BY well_id ORDER BY last_reading LIMIT 50`,
  },
  {
    th: "ข้อมูลที่เก็บไม่ได้ แยกตามสาเหตุ",
    en: "Dead letters by reason",
    sql: `SELECT reason, gateway_id, count(*) AS entries, max(received_at) AS last FROM dead_letters GROUP BY 1, 2 ORDER BY entries DESC`,
  },
  {
    th: "ค่าที่ถูกแก้ไข",
    en: "Values that were superseded",
    sql: `SELECT * FROM reading_revisions ORDER BY superseded_at DESC LIMIT 100`,
  },
];
