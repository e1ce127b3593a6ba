//! Time over the number of hosts, a line for each way: an SVG of nothing but text, lines and circles.

use std::fmt::Write as _;

use super::method::Method;
use super::rows::Row;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 230.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// A colour for each way, told apart by everybody (Okabe and Ito).
fn colour(method: Method) -> &'static str {
    match method {
        Method::Original => "#000000",
        Method::Scp => "#e69f00",
        Method::Tar => "#56b4e9",
        Method::Rsync => "#cc79a7",
        Method::Ssh => "#0072b2",
        Method::Relay => "#d55e00",
    }
}

/// A scale that grows by factors: between two values, along so many points.
#[derive(Clone, Copy)]
struct Scale {
    least: f64,
    most: f64,
    begin: f64,
    end: f64,
}

impl Scale {
    fn at(self, value: f64) -> f64 {
        let part = (value / self.least).ln() / (self.most / self.least).ln();
        self.begin + part * (self.end - self.begin)
    }
}

/// Draws the rows.
pub(super) fn svg(rows: &[&Row]) -> String {
    let walls = rows.iter().map(|row| row.cost.wall);
    let (least, most) =
        walls.fold((f64::MAX, 1.0_f64), |(least, most), wall| (least.min(wall), most.max(wall)));
    let hosts = rows.iter().map(|row| f64::from(row.key.hosts)).fold(2.0, f64::max);
    let x = Scale { least: 1.0, most: hosts, begin: LEFT, end: WIDTH - RIGHT };
    let y = Scale { least: least * 0.8, most: most * 1.2, begin: HEIGHT - BOTTOM, end: TOP };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Time to bring an image to hosts, over their number</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    axes(&mut svg, rows, (x, y));
    let mut methods: Vec<Method> = rows.iter().map(|row| row.key.method).collect();
    methods.sort_unstable();
    methods.dedup();
    let mut labels: Vec<(f64, Method)> = Vec::new();
    for method in methods {
        let mut points: Vec<(f64, f64)> = rows
            .iter()
            .filter(|row| row.key.method == method)
            .map(|row| (x.at(f64::from(row.key.hosts)), y.at(row.cost.wall)))
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (colour, wide) = (colour(method), if method.is_sealer() { 3 } else { 1 });
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{wide}\"/>",
            line.join(" ")
        );
        for (x, y) in &points {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
        }
        labels.extend(points.last().map(|(_, y)| (*y, method)));
    }
    legend(&mut svg, labels);
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String, rows: &[&Row], (x, y): (Scale, Scale)) {
    let mut hosts: Vec<u16> = rows.iter().map(|row| row.key.hosts).collect();
    hosts.sort_unstable();
    hosts.dedup();
    for count in hosts {
        let at = x.at(f64::from(count));
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{count}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 18.0
        );
    }
    let ticks = [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];
    for tick in ticks.into_iter().filter(|tick| (y.least..=y.most).contains(tick)) {
        let at = y.at(tick);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{tick} s</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0
        );
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">hosts</text>",
        HEIGHT - 10.0
    );
    if let Some(row) = rows.first() {
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"22\">{:.0} MB to new hosts, every link {} Mbit/s (both axes grow by factors)</text>",
            row.bytes as f64 / 1e6,
            row.key.rate / 1_000_000
        );
    }
}

/// Names beside the ends of their lines, none over another.
fn legend(svg: &mut String, mut labels: Vec<(f64, Method)>) {
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = TOP;
    for (y, method) in labels {
        let at = y.max(free);
        free = at + 17.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\">{}</text>",
            WIDTH - RIGHT + 12.0,
            at + 4.0,
            colour(method),
            method.name()
        );
    }
}
