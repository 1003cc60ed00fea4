// Node finds the site at the host's address, AUDIT_SITE=name=address; /etc/hosts stays as it is.
"use strict";
const dns = require("node:dns");
const [site, address] = process.env.AUDIT_SITE.split("=");
const lookup = dns.lookup;

dns.lookup = (name, ...rest) => {
  if (name !== site) return lookup(name, ...rest);
  const callback = rest.pop();
  const all = typeof rest[0] === "object" && rest[0].all;
  process.nextTick(() => (all ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4)));
};
