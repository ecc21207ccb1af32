"""Where the panels of the pages are, by size of the screen: one style sheet, data only."""

LAYOUT = """
MainScreen { layers: base dialog; layout: vertical; overflow: hidden; }
MainScreen > ContentSwitcher { height: 1fr; }
MainScreen.-line > .bar { display: none; }

MainScreen #account { height: 5; }
MainScreen.-short #account { height: 4; }
MainScreen #overview-sides { height: 12; layout: horizontal; }
MainScreen #strategies { width: 34; }
MainScreen #incidents { width: 40; }
MainScreen.-l #strategies, MainScreen.-l #incidents { width: 1fr; }
MainScreen.-short #overview-sides { height: 8; }
MainScreen.-l #overview { layout: horizontal; }
MainScreen #overview-left { height: 1fr; }
MainScreen #overview-recent { display: none; height: 2fr; }
MainScreen.-l #overview-recent { display: block; }
MainScreen #markets { height: 3fr; }
MainScreen.-l #overview > #overview-left { width: 2fr; }
MainScreen.-l #overview > #overview-sides { width: 1fr; height: 1fr; layout: vertical; }

MainScreen #book { layout: horizontal; }
MainScreen #book-picker { width: 34; }
MainScreen #book-middle { width: 1fr; }
MainScreen #book-ladders { height: 1fr; }
MainScreen #book-trades { height: 11; }
MainScreen #book-right { width: 40; }
MainScreen #book-quality { height: 17; }
MainScreen #book-other { display: none; }
MainScreen.-l #book-picker { width: 50; }
MainScreen.-l #book-right { width: 50; }
MainScreen.-l #book-ladders { layout: horizontal; }
MainScreen.-l #book-other { display: block; }
MainScreen.-short #book-trades { height: 7; }
MainScreen.-short #book-quality { height: 1fr; }
MainScreen.-s #book-picker { display: none; }
MainScreen.-s #book-picker.-current { display: block; width: 36; }
MainScreen.-s #book.-at-book-picker #book-right { display: none; }
MainScreen.-s #book-right { width: 34; }
MainScreen.-s #book-trades { height: 1fr; }

MainScreen #why-lower { height: 15; layout: horizontal; }
MainScreen #why-left { width: 7fr; }
MainScreen #why-detail { width: 6fr; }
MainScreen.-short #why-lower { height: 9; }
MainScreen.-l #decisions { layout: horizontal; }
MainScreen.-l #decisions > #why-folds { width: 6fr; }
MainScreen.-l #decisions > #why-lower { width: 5fr; height: 1fr; layout: vertical; }
MainScreen.-l #why-lower > * { width: 1fr; }
MainScreen.-l #why-left { height: 2fr; }

MainScreen #system-upper { height: 1fr; layout: horizontal; }
MainScreen #system-modules { width: 1fr; }
MainScreen #system-routes { width: 60; }
MainScreen #system-sides { height: 15; layout: horizontal; }
MainScreen .-lost #system-sides { height: 9; }
MainScreen #system-latency { width: 52; }
MainScreen.-s #system-latency { width: 1fr; }
MainScreen.-short #system-sides { height: 8; }
MainScreen.-l #modules { layout: horizontal; }
MainScreen.-l #modules > #system-upper { width: 1fr; height: 1fr; }
MainScreen.-l #modules > #system-sides { width: 60; height: 1fr; layout: vertical; }
MainScreen.-l #system-sides > * { width: 1fr; }
MainScreen.-s .-lost > #system-upper > #system-modules { display: none; }
MainScreen.-s .-lost > #system-upper > #system-routes { width: 1fr; }
MainScreen.-s .-at-system-modules > #system-upper > #system-modules { display: block; }
MainScreen.-s .-at-system-modules > #system-upper > #system-routes { display: none; }
MainScreen.-s .-lost.-at-system-routes > #system-sides { display: none; }

MainScreen #orders-upper { height: 3fr; layout: horizontal; }
MainScreen #orders-tables { width: 1fr; }
MainScreen #orders-working { height: 3fr; }
MainScreen #orders-fills { height: 2fr; }
MainScreen #orders-detail { width: 47; }
MainScreen #orders-lower { height: 10; layout: horizontal; }
MainScreen #orders-bundles { width: 6fr; }
MainScreen #orders-unknown { width: 5fr; }
MainScreen.-l #orders-detail { width: 66; }
MainScreen.-l #orders-lower { height: 14; }
MainScreen.-s #orders-upper { layout: vertical; height: 1fr; }
MainScreen.-s #orders-lower { height: 8; }
MainScreen.-s #orders-tables { height: 1fr; }

MainScreen #positions-held { height: 1fr; }
MainScreen #positions-middle { height: 13; layout: horizontal; }
MainScreen #positions-markets { width: 1fr; }
MainScreen #positions-account { width: 42; }
MainScreen #positions-lower { height: 9; layout: horizontal; }
MainScreen #positions-strategies { width: 1fr; }
MainScreen #positions-anomalies { width: 52; }
MainScreen.-l #positions-anomalies { width: 90; }
MainScreen #positions-rest { height: 22; }
MainScreen.-s #positions-rest { height: 9; }
MainScreen.-l #positions-rest { height: 26; }
MainScreen.-l #positions-lower { height: 1fr; }

MainScreen #risk-upper { height: 1fr; layout: horizontal; }
MainScreen #risk-left { width: 54; }
MainScreen #risk-state { height: 17; }
MainScreen #risk-limits { height: 1fr; }
MainScreen #risk-controls { width: 1fr; }
MainScreen #risk-lower { height: 8; layout: horizontal; }
MainScreen #risk-breakers { width: 34; }
MainScreen #risk-gates { width: 40; }
MainScreen #risk-detail { width: 1fr; }
MainScreen.-l #risk-left { width: 90; }
MainScreen.-l #risk-lower { height: 16; }
MainScreen.-s #risk-upper { height: 1fr; }
MainScreen.-s #risk-left { width: 1fr; }
MainScreen.-s #risk-lower { height: 8; }

MainScreen #alerts-upper { height: 3fr; layout: horizontal; }
MainScreen #alerts-active { width: 1fr; }
MainScreen #alerts-detail { width: 46; }
MainScreen.-l #alerts-detail { width: 70; }
MainScreen #alerts-lower { height: 2fr; layout: horizontal; }
MainScreen #alerts-aside { width: 54; }
MainScreen #alerts-journal { width: 1fr; }
MainScreen.-s #alerts-upper { height: 1fr; layout: vertical; }
MainScreen.-s #alerts-active { height: 1fr; }
MainScreen.-s #alerts-detail { width: 1fr; height: 9; }
MainScreen.-s #alerts-lower { display: none; }
MainScreen.-s #alerts-lower.-current { display: block; height: 9; }
MainScreen.-s #alerts.-at-alerts-aside #alerts-detail { display: none; }
MainScreen.-s #alerts.-at-alerts-journal #alerts-detail { display: none; }

MainScreen #kill-receipt { height: 11; }
MainScreen #kill-middle { height: 1fr; layout: horizontal; }
MainScreen #kill-open { width: 1fr; }
MainScreen #kill-routes { width: 54; }
MainScreen #kill-positions { height: 9; }
MainScreen #kill-rest { height: 1fr; }

MainScreen #lab-sides { height: 15; layout: horizontal; }
MainScreen #lab-scenario { width: 1fr; }
MainScreen #lab-people { width: 44; }
MainScreen #lab-counts { width: 24; }
MainScreen.-short #lab-sides { height: 8; }
MainScreen.-l #venue_lab { layout: horizontal; }
MainScreen.-l #venue_lab > #lab-troubles { width: 1fr; }
MainScreen.-l #venue_lab > #lab-sides { width: 70; height: 1fr; layout: vertical; }
MainScreen.-l #lab-sides > * { width: 1fr; }

MainScreen.-s .pick > * { display: none; }
MainScreen.-s .pick > .-last {
    display: block; width: 1fr !important; height: 1fr !important;
}

MainScreen Page Panel.-absent { display: none !important; }
MainScreen.-xs Page Panel, MainScreen.-xs Page Container,
MainScreen.-tiny Page Panel, MainScreen.-tiny Page Container { display: none; }
MainScreen.-xs Page Panel.-current, MainScreen.-tiny Page Panel.-current,
MainScreen.-xs Page Container.-current, MainScreen.-tiny Page Container.-current {
    display: block; width: 1fr !important; height: 1fr !important;
}
"""
"""The places of the panels by size of the screen. `.pick` shows one of its children at a time on
small screens, the one that Tab reached last; on tiny ones only the current panel is left. The app
loads it: rules in a screen's own `CSS` are scoped and would not reach their panels."""
