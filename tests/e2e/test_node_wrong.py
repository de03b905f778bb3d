#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong ways to start an application of Node.js, each said plainly."""

import json
import signal

import harness
from clients import HERE, LISTEN
from nodejs import BEGUN_IN, LISTENS, NODE, NODE_VERSION, SERVER, WHO, NodeTestCase, ask_http
from programs import FAILED, USAGE, WORKER, environment
from world import scaled

SLOW_START_MS = 10000  # of src/terminal/status_problems.c


class Runners(NodeTestCase):
    """npm and its like: what they run is named instead."""

    def refused(self, *command, arguments=(), words=(), instead=""):
        result = self.stickyctl("start", "-w", "1", *arguments, "--", *command, cwd=self.dir,
                                env={"PWD": self.dir})
        self.assert_message(result, *words, code=USAGE)
        if instead:
            self.assertTrue(result.stderr.endswith(f": stickyctl start {instead}\n"), result.stderr)
        return result

    def package(self, **scripts):
        self.write("package.json", json.dumps({"name": "app", "scripts": scripts}))

    def test_npm_start(self):
        self.package(start="node --enable-source-maps dist/main.js --port 3000")
        for arguments in ((), LISTEN):
            self.refused("npm", "start", arguments=arguments, words=(
                "npm", "stickyctl start -- node --enable-source-maps dist/main.js --port 3000"))

    def test_npm_start_that_is_not_named(self):
        self.package(test="true")
        self.refused("npm", "start", words=("stickyctl start -- node server.js",))

    def test_a_script_that_wants_a_shell(self):
        self.package(start="NODE_ENV=production node app.js | pino")
        self.refused("npm", "start", words=("NODE_ENV=production node app.js | pino",))

    def test_a_script_is_no_command_to_the_terminal(self):
        for script in ("node \x1b[31mred.js", "node app.js | \x1b[31mred", "\x1b[31mred\x07"):
            self.package(start=script)
            result = self.refused("npm", "start", words=("[31mred",))
            self.assertNotIn("\x1b", result.stderr)
            self.assertNotIn("\x07", result.stderr)

    def test_others(self):
        self.package(web="node web.js", start="node start.js")
        for command, script in (("npm run web", "node web.js"), ("yarn web", "node web.js"),
                                ("yarn start", "node start.js"), ("pnpm start", "node start.js"),
                                ("/usr/bin/npm run-script web", "node web.js")):
            self.refused(*command.split(), words=(f"stickyctl start -- {script}",))
        self.refused("npx", "some-server", words=("npx", "node"))

    def test_programs_that_start_node(self):
        """With and without -l: they are no worker in either case."""
        for command, instead in (
                ("nodemon --exec node app.js 3000", "node app.js 3000"),
                ("node --watch app.js", "node app.js"),
                ("node --watch-path=src --inspect app.js -x", "node --inspect app.js -x"),
                ("node --watch-path src app.js", "node app.js"),
                ("node -r ./x.js --watch e.js", "node -r ./x.js e.js"),
                ("node --import tsx --watch app.ts", "node --import tsx app.ts"),
                ("node --env-file .env -C dev --watch e.js", "node --env-file .env -C dev e.js"),
                ("/usr/bin/node --title t --watch e.js --watch", "/usr/bin/node --title t e.js --watch"),
                ("tsx watch src/app.ts", "node --import tsx src/app.ts"),
                ("ts-node-dev --respawn app.ts", "node -r ts-node/register app.ts"),
                ("pm2 start app.js -i 4", "node app.js -i 4"),
                ("pm2-runtime ecosystem.config.js", "node server.js"),
                ("env NODE_ENV=production npx nodemon", "env NODE_ENV=production node server.js"),
                ("node_modules/.bin/nodemon app.mjs", "node app.mjs"),
                ("forever start app.js", "node app.js")):
            with self.subTest(command):
                for arguments in ((), LISTEN):
                    self.refused(*command.split(), arguments=arguments, words=(
                        f"stickyctl start -- {instead}",))

    def test_programs_of_a_package(self):
        """What npx and its like run, which is no script of package.json."""
        self.package(start="next start -p 3000", dev="nodemon src/app.js", watched="npm run dev",
                     env="NODE_ENV=production node app.js", loop="npm run loop",
                     cross="cross-env A=1 B=2 node app.js")
        for command, instead in (
                ("npx next start", "node_modules/.bin/next start"),
                ("npx -y next start", "node_modules/.bin/next start"),
                ("npx tsx e.ts", "node --import tsx e.ts"),
                ("npm exec -- next start", "node_modules/.bin/next start"),
                ("npm exec tsx e.ts", "node --import tsx e.ts"),
                ("yarn node e.js", "node e.js"),
                ("yarn next build", "node_modules/.bin/next build"),
                ("yarn run next build", "node_modules/.bin/next build"),
                ("pnpm exec nodemon e.js", "node e.js"),
                ("npm start", "node_modules/.bin/next start -p 3000"),
                ("npm run dev", "node src/app.js"),
                ("npm run watched", "node src/app.js"),
                ("npm run env", "env NODE_ENV=production node app.js"),
                ("yarn cross", "env A=1 B=2 node app.js"),
                ("npm run loop", "node server.js"),
                ("npm --silent run dev", "node src/app.js"),
                ("node --run dev", "node src/app.js")):
            with self.subTest(command):
                self.refused(*command.split(), instead=f"-- {instead}")
        self.refused("npx", "-c", "next start", instead="-- node_modules/.bin/next start")

    def test_programs_that_set_variables(self):
        """They start the application as a child, which gets none of the sockets."""
        for command, instead in (
                ("cross-env A=1 node e.js", "-- env A=1 node e.js"),
                ("node_modules/.bin/cross-env A=1 nodemon e.js", "-- env A=1 node e.js"),
                ("dotenv -- node e.js", "--env-file .env -- node e.js"),
                ("dotenv -e prod.env node e.js", "--env-file prod.env -- node e.js"),
                ("dotenvx run -f .env.prod -- node e.js", "--env-file .env.prod -- node e.js"),
                ("env-cmd -f my.env node e.js", "--env-file my.env -- node e.js"),
                ("env-cmd .env.prod node e.js", "--env-file .env.prod -- node e.js"),
                ("npx cross-env A=1 node e.js", "-- env A=1 node e.js")):
            with self.subTest(command):
                for arguments in ((), LISTEN):
                    self.refused(*command.split(), arguments=arguments, instead=instead)
        self.refused("cross-env-shell", "A=1 node e.js", words=("node e.js",))

    def test_a_dotenv_that_runs_another_program(self):
        """Python's becomes the command."""
        dotenv = self.write("dotenv", "#!/bin/sh\nshift\nexec \"$@\"\n")
        dotenv.chmod(0o755)
        instance = self.serve("-w", "1", *LISTEN, "--", dotenv, "run", WORKER)
        instance.stop()

    def test_a_script_is_no_program(self):
        self.write("e.js", "")
        self.write("bare.js", "").chmod(0o755)
        for command in ("server.js", "./e.js", "./bare.js", "app.mjs", "app.cjs", "app.ts"):
            with self.subTest(command):
                for arguments in ((), LISTEN):
                    self.refused(command, "-x", arguments=arguments, words=(
                        "is a script", f"stickyctl start -- node {command} -x"))

    def test_code_that_is_no_file(self):
        """Node.js then takes no answer of a primary: its listen() never ends."""
        for command in (("node", "-e", "0"), ("node", "-p", "0"), ("node", "--eval", "0"),
                        ("node",), ("node", "-"), ("node", "--inspect"),
                        ("node", "--eval=0"), ("node", "-r", "./x.js", "-e", "0")):
            with self.subTest(command):
                for arguments in ((), LISTEN):
                    self.refused(*command, arguments=arguments, words=(
                        "write the code to a file", "stickyctl start -- node server.js"))

    def test_code_with_a_word_behind_it(self):
        """Any word will do for a file."""
        self.serve("-w", "1", "--", "node", "-e", WHO + SERVER.replace(
            "__dirname", "'.'") + LISTENS, "x").stop()

    def test_programs_that_are_not_node(self):
        for command, instead in (("bun run app.ts", "node app.ts"),
                                 ("deno run -A app.ts", "node app.ts")):
            self.refused(*command.split(), words=(
                "is not Node.js", f"stickyctl start -- {instead}"))

    def test_bad_packages(self):
        for text in ("", "{", "[]", '{"scripts": 5}', '{"scripts": {"web": 5}}'):
            self.write("package.json", text)
            self.refused("npm", "run", "web", words=("name node itself",))
        (self.dir / "package.json").unlink()
        for command in (("npm",), ("npm", "run"), ("yarn",), ("npm", "--version"), ("npx",)):
            self.refused(*command, words=("name node itself",))

    def test_a_directory_of_its_own(self):
        (self.dir / "there").mkdir()
        self.write("there/package.json", json.dumps({"scripts": {"start": "node there.js"}}))
        self.refused("npm", "start", arguments=("--chdir", self.dir / "there"),
                     words=("stickyctl start -- node there.js",))

    def test_a_shell(self):
        self.refused("sh", "-c", "node app.js", words=("stickyctl start -- node app.js",))
        self.refused("bash", "-c", "cd /app && node app.js", words=("cd /app && node app.js",))

    def test_a_shell_that_would_become_node(self):
        result = self.refused("sh", "-c", "exec node www", words=(
            "becomes Node.js", "--worker=node"), instead="-- node www")
        self.assertNotIn("child", result.stderr)

    def test_a_shell_that_becomes_node(self):
        """Whoever says so gets it: exec keeps the channel."""
        app = self.app(SERVER + LISTENS)
        instance = self.serve("-w", "1", "--worker", "node", "--", "sh", "-c",
                              f"exec node {app}")
        self.assertEqual(ask_http(HERE)["slot"], 0)
        instance.stop()

    def test_a_shell_that_does_not(self):
        instance = self.start("-w", "1", "--ready-timeout", "700ms", "--worker", "node", "--",
                              "sh", "-c", "sleep 60; true")
        self.assertEqual(instance.wait(), FAILED)
        self.assertIn("no word from Node.js", instance.errors)
        self.assertIn("name node itself", instance.errors)


class Recognised(NodeTestCase):
    """Node.js by another name: the application's own listen() says where, as always."""

    def serve_by(self, *command, slots=1, **options):
        instance = self.serve("-w", slots, "--", *command, cwd=self.dir, **options)
        self.assertEqual(ask_http(HERE)["slot"], 0)
        return instance

    def script(self, name, line):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line + "\n" + WHO + SERVER + LISTENS)
        path.chmod(0o755)
        return path

    def test_scripts(self):
        for line in ("#!/usr/bin/env node", f"#!{NODE}", "#!/usr/bin/env -S node --no-warnings"):
            with self.subTest(line):
                self.serve_by(self.script("bin/www", line)).stop()

    def test_a_relative_path(self):
        self.script("bin/www", "#!/usr/bin/env node")
        self.serve_by("./bin/www", env={"PWD": self.dir}).stop()

    def test_env(self):
        app = self.app(SERVER + LISTENS + "console.error('A is', process.env.A);")
        instance = self.serve_by("env", "A=1", "node", app)
        self.assertIn("A is 1", instance.errors)
        instance.stop()

    def test_links(self):
        """As npm puts them into node_modules/.bin, and another name of node itself."""
        script = self.script("node_modules/next/dist/bin/next", "#!/usr/bin/env node")
        link = self.dir / "node_modules/.bin/next"
        link.parent.mkdir()
        link.symlink_to("../next/dist/bin/next")
        self.serve_by(link, "start").stop()
        (self.dir / "js").symlink_to(NODE)
        self.serve_by(self.dir / "js", script).stop()

    def test_what_pnpm_writes(self):
        script = self.script("next", "#!/usr/bin/env node")
        shim = self.write("shim", "#!/bin/sh\nbasedir=$(dirname \"$0\")\n"
                          f"exec node  \"$basedir/{script.name}\" \"$@\"\n")
        shim.chmod(0o755)
        self.serve_by(shim).stop()

    def test_found_on_the_path(self):
        self.script("bin/www", "#!/usr/bin/env node")
        path = f"{self.dir}/bin:{environment()['PATH']}"
        self.serve_by("www", env={"PATH": path}).stop()

    def test_a_reload_goes_on_with_it(self):
        instance = self.serve_by(self.script("www", "#!/usr/bin/env node"))
        self.assertEqual(instance.run("reload", "--wait=drained").returncode, 0)
        self.assertEqual(ask_http(HERE)["gen"], 2)
        instance.stop()

    def test_the_slot_as_pm2_names_it(self):
        app = self.app(SERVER + LISTENS + """
            console.error('instance <%s>', process.env.NODE_APP_INSTANCE);
            """)
        instance = self.serve_node(app, slots=2)
        for slot in (0, 1):
            self.assertIn(f"instance <{slot}>", instance.errors)
        instance.stop()
        instance = self.serve_node(app, "--env", "NODE_APP_INSTANCE=mine", slots=2)
        self.assertEqual(instance.errors.count("instance <mine>"), 2)
        instance.stop()

    def test_debuggers(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=2,
                                   node=("node", "--inspect=127.0.0.1:4100"))
        for port in (4100, 4101):
            self.assertIn(f"Debugger listening on ws://127.0.0.1:{port}/", instance.errors)
        instance.stop()


class Applications(NodeTestCase):
    def test_a_missing_file(self):
        self.assert_start_fails(self.dir / "nowhere.js", "Cannot find module", "nowhere.js")

    def test_a_mistake(self):
        self.assert_start_fails(self.write("server.js", "const = 5;"), "SyntaxError")

    def test_a_package_that_is_not_installed(self):
        self.assert_start_fails(self.app("require('not-there');"), "Cannot find module")

    def test_node_is_not_on_the_path(self):
        app = self.app(SERVER + LISTENS)
        instance = self.assert_start_fails(app, "cannot run node", "PATH",
                                           env={"PATH": str(self.dir)})
        self.assertNotIn("sudo", instance.errors)

    def test_node_is_not_on_the_path_of_sudo(self):
        """Installed for a user alone, as nvm does it."""
        app = self.app(SERVER + LISTENS)
        self.assert_start_fails(app, "cannot run node", "sudo", "command -v", env={
            "PATH": str(self.dir), "SUDO_UID": "0", "SUDO_GID": "0", "SUDO_USER": "root"})

    def test_node_by_its_path(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=1, node=(NODE,))
        self.assertEqual(ask_http(HERE)["slot"], 0)
        instance.stop()

    def test_cluster_where_it_is_a_primary(self):
        """The usual form, which asks whether it is one: as here it never is, it only serves."""
        app = self.app("""
            const cluster = require('cluster');
            if (cluster.isPrimary) {
              for (let count = 0; count < 4; count++) cluster.fork();
            } else {
              %s
            }
            """ % (SERVER + LISTENS))
        instance = self.serve_node(app)
        self.assert_steered(instance)
        instance.stop()

    def test_cluster_fork_in_any_case(self):
        self.assert_start_fails(self.app("require('cluster').fork();"),
                                "fork is not a function")

    def test_exclusive(self):
        app = self.app(SERVER + "server.listen({port: 3000, exclusive: true});")
        self.assert_start_fails(app, "has not called listen()", "exclusive", arguments=BEGUN_IN,
                                slots=1)

    def test_it_starts_for_long(self):
        """`status` says what the application lacks, and not that READY=1 is waited for."""
        app = self.app("setInterval(() => {}, 1000);")
        instance = self.start("-w", 1, "--ready-timeout", f"{scaled(600)}s", "--", "node", app)
        status = instance.wait_status("a slow start", lambda status: (
            status["workers"][0]["uptime_ms"] >= SLOW_START_MS), 30)
        self.assertEqual(status["workers"][0]["not_ready"]["why"], "it has not called listen()")
        lines = instance.run("status").stdout.splitlines()
        self.assertRegex(lines[0], r"^slot 0 has been starting for \d+s, and is not ready: ")
        self.assertEqual(lines[1], "  it has not called listen()")
        self.assertIn("--ready-timeout", lines[2])
        instance.send(signal.SIGTERM)
        instance.wait()

    def test_reuse_port(self):
        """Older versions of Node.js do not know it, and serve."""
        app = self.app(SERVER + "server.listen({port: 3000, reusePort: true});")
        if NODE_VERSION < 23:
            app = self.app("require('net').Server.prototype.listen = () => {};" + SERVER + LISTENS)
        self.assert_start_fails(app, "has not called listen()", "reusePort", arguments=BEGUN_IN,
                                slots=1)

    def test_a_unix_path_alone(self):
        app = self.app(SERVER + "server.listen(__dirname + '/app.sock');")
        self.assert_start_fails(app, "it listens on", "app.sock", "process.env.PORT",
                                arguments=BEGUN_IN, slots=1)

    def test_a_process_of_its_own(self):
        """It leaves the listening to a child, which has a cluster of its own."""
        app = self.app(SERVER + """
            if (process.argv[2] === 'child') server.listen(3000);
            else require('child_process').fork(__filename, ['child']);
            """)
        self.assert_start_fails(app, "has not called listen()", "cluster.fork()",
                                arguments=BEGUN_IN, slots=1)


if __name__ == "__main__":
    harness.main()
