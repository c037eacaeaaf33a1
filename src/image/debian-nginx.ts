/** nginx's configuration in the image that berth builds, and the page it serves: server-side includes name the task that answered. */

export const nginxConfig = `user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr notice;

events {
  worker_connections 1024;
}

http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  sendfile on;
  keepalive_timeout 65;
  server_tokens off;

  server {
    listen 80 default_server;
    root /usr/share/nginx/berth;

    location = /health {
      access_log off;
      default_type text/plain;
      return 200 "ok\\n";
    }
    location / {
      ssi on;
      ssi_last_modified off;
      add_header Cache-Control no-store;
      add_header X-Berth-Task $hostname;
      try_files $uri $uri/ =404;
    }
  }
}
`;

export const nginxPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>berth: it works</title>
<style>
  :root { color-scheme: light dark; --ink: #12263a; --paper: #f4f7f9; --line: #c9d6df; --sea: #0b7285; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6eef4; --paper: #0e1a24; --line: #2b4152; --sea: #3bc9db; } }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink); font: 17px/1.5 system-ui, sans-serif; }
  main { max-width: 34rem; padding: 2rem; }
  h1 { margin: 0 0 .5rem; font-size: 2.2rem; letter-spacing: -.02em; }
  h1 span { color: var(--sea); }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.2rem; margin: 1.6rem 0; padding: 1rem 0; border: solid var(--line); border-width: 1px 0; }
  dt { opacity: .7; }
  dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
</style>
<main>
  <h1>It works: <span>berth</span> runs this.</h1>
  <p>nginx answered from a task of its own, with an address of its own. Nobody had to look after a server.</p>
  <dl>
    <dt>Task</dt><dd id="task"><!--# echo var="hostname" --></dd>
    <dt>Address</dt><dd><!--# echo var="server_addr" -->:<!--# echo var="server_port" --></dd>
    <dt>You asked for</dt><dd><!--# echo var="http_host" encoding="entity" --></dd>
    <dt>At</dt><dd><!--# echo var="time_iso8601" --></dd>
    <dt>Server</dt><dd>nginx <!--# echo var="nginx_version" --></dd>
  </dl>
  <p>Next: <code>berth ps</code>, <code>berth logs</code>, <code>aws ecs list-tasks</code></p>
</main>
</html>
`;
