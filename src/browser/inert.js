window.apex = window.apex && window.apex.track ? window.apex : Object.fromEntries(["track", "identify", "init", "consent", "assign", "experiment"].map((name) => [name, () => {}]));
