//! The units that Grafana knows by name.

/// Its ids of formats, apart from currencies and a few that nobody measures here.
const KNOWN: &str = "
none string short percent percentunit humidity dB hex0x hex sci locale pixel
degree radian grad flops mflops gflops tflops ppm
bytes decbytes bits decbits kbytes deckbytes mbytes decmbytes gbytes decgbytes tbytes dectbytes
pbytes decpbytes
pps binBps Bps binbps bps KiBs Kibits KBs Kbits MiBs Mibits MBs Mbits GiBs Gibits GBs Gbits TiBs
Tibits TBs Tbits PiBs Pibits PBs Pbits
dateTimeAsIso dateTimeAsIsoNoDateIfToday dateTimeAsUS dateTimeAsUSNoDateIfToday dateTimeAsLocal
dateTimeAsLocalNoDateIfToday dateTimeAsSystem dateTimeFromNow
watt kwatt megwatt gwatt mwatt watth kwatth joule amp volt
Hs KHs MHs GHs THs lengthmm lengthm lengthkm pressurebar pressurepa rotrpm rothz
celsius fahrenheit kelvin
hertz ns µs ms s m h d dtdurationms dtdurations dthms dtdhms timeticks clockms clocks
cps ops reqps rps wps iops eps mps cpm opm rpm wpm mpm epm
currencyUSD currencyGBP currencyEUR currencyJPY
bool bool_yes_no bool_on_off
";

/// Whether Grafana knows a unit, or is told how to write one.
pub(super) fn is_known(unit: &str) -> bool {
    let custom = ["prefix:", "suffix:", "time:", "si:", "count:", "currency:"];
    KNOWN.split_whitespace().any(|known| known == unit)
        || custom.iter().any(|custom| unit.len() > custom.len() && unit.starts_with(custom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_units_and_custom_ones_pass() {
        assert!(is_known("percentunit") && is_known("suffix: blocks"));
        assert!(!is_known("") && !is_known("seconds") && !is_known("suffix:"));
    }
}
