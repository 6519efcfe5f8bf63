# frozen_string_literal: true

require "rack/mock"

module Railsbench
  module Benchmarks
    # The router alone, with as many routes as a large application has, constraints and nesting. An
    # iteration recognises one path.
    class RegexRoute < Benchmark
      SECTIONS = 12
      RESOURCES = 20
      ENDPOINT = ->(environment) do
        parameters = environment["action_dispatch.request.path_parameters"]
        [200, {}, [parameters.map { |key, value| "#{key}=#{value}" }.join("&")]]
      end
      # Paths, and what must be recognised in them: early, late, constrained, nested, unknown.
      EXPECTED = {
        "/section0/things0/42" => "name=show&id=42",
        "/section11/things19/1234" => "name=show&id=1234",
        "/section5/things10/7/parts/2024-02-29" => "name=part&thing_id=7&date=2024-02-29",
        "/section6/things3/by/some-long-slug-of-words" => "name=slug&slug=some-long-slug-of-words",
        "/section3/things7" => "name=list",
        "/section9/things15/8/parts/latest.json" => "name=latest&thing_id=8&format=json",
        "/files/a/deep/path/to/a/file.pdf" => "name=file&path=a/deep/path/to/a/file&format=pdf",
        "/section11/things19/not-a-number" => nil
      }.freeze
      ROUNDS = 25
      iterations_per_sample EXPECTED.size * ROUNDS

      private

      def prepare
        @routes = ActionDispatch::Routing::RouteSet.new
        @routes.draw do
          SECTIONS.times do |section|
            scope "/section#{section}" do
              RESOURCES.times do |number|
                scope "/things#{number}" do
                  get "/", to: ENDPOINT, defaults: { name: "list" }
                  get "/by/:slug", to: ENDPOINT, defaults: { name: "slug" },
                      slug: /[a-z]+(-[a-z]+)*/
                  get "/:thing_id/parts/latest(.:format)", to: ENDPOINT,
                      defaults: { name: "latest" }, thing_id: /\d+/
                  get "/:thing_id/parts/:date", to: ENDPOINT, defaults: { name: "part" },
                      thing_id: /\d+/, date: /\d{4}-\d\d-\d\d/
                  get "/:id", to: ENDPOINT, defaults: { name: "show" }, id: /\d+/
                end
              end
            end
          end
          get "/files/*path", to: ENDPOINT, defaults: { name: "file" }
        end
        @environments = EXPECTED.keys.map { |path| Rack::MockRequest.env_for(path) }
      end

      def check
        expect "routes", (SECTIONS * RESOURCES * 5) + 1, @routes.routes.size
        EXPECTED.each_value.with_index do |expected, index|
          status, _headers, body = recognize(@environments[index])
          found = body.each.to_a.join.split("&").sort if status == 200
          expect "what is recognised in #{EXPECTED.keys[index]}", expected&.split("&")&.sort, found
        end
      end

      def iterate
        ROUNDS.times { @environments.each { |environment| recognize(environment) } }
      end

      def recognize(environment)
        @routes.call(environment.dup)
      end
    end
  end
end
